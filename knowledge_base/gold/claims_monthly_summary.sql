/*
table: healthcare_gold.claims_monthly_summary
about: Claims, members and money by month of service and payer.
grain: [service_month, payer_id]
owner: claims analytics
partition: month(service_month)
touched_by: claim_service_date
columns:
  service_month:             {type: date, about: first day of the month of claim_service_date}
  payer_id:                  {type: string, about: payer}
  claim_count:               {type: bigint, additive: true, about: "claims, every status"}
  line_count:                {type: bigint, additive: true, about: claim lines}
  member_count:              {type: bigint, about: distinct members}
  billed_amount:             {type: "decimal(18,2)", additive: true, about: "charges, USD, every status"}
  allowed_amount:            {type: "decimal(18,2)", additive: true, about: "allowed, USD"}
  paid_amount:               {type: "decimal(18,2)", additive: true, about: "paid by the payer, USD"}
  member_responsibility:     {type: "decimal(18,2)", additive: true, about: "deductible + coinsurance + copay, USD"}
  denied_claim_count:        {type: bigint, additive: true, about: denied claims}
  adjudicated_claim_count:   {type: bigint, additive: true, about: "paid, denied or reversed claims"}
  denial_rate:               {type: double, about: "denied / adjudicated claims; null where none is adjudicated"}
  average_billed_per_claim:  {type: double, about: "billed_amount / claim_count, USD"}
  median_days_to_adjudicate: {type: double, about: "interpolated median of received to adjudicated, days, one value a claim"}
ties:                        # each additive column again, over the lines of claims_clean, by month and payer
  claim_count: COUNT(DISTINCT claim_id)
  line_count: COUNT(*)
  billed_amount: SUM(billed_amount)
  allowed_amount: SUM(allowed_amount)
  paid_amount: SUM(paid_amount)
  member_responsibility: SUM(deductible_amount) + SUM(coinsurance_amount) + SUM(copay_amount)
  denied_claim_count: COUNT(DISTINCT CASE WHEN claim_status = 'denied' THEN claim_id END)
  adjudicated_claim_count: COUNT(DISTINCT CASE WHEN NOT claim_status IN ('pending', 'rejected') THEN claim_id END)
checks:
  - denied_claim_count <= adjudicated_claim_count
  - adjudicated_claim_count <= claim_count
  - member_count <= claim_count
  - claim_count <= line_count
  - paid_amount <= billed_amount
  - allowed_amount <= billed_amount
*/
WITH claims AS (
  SELECT
    payer_id,
    claim_id,
    CAST(DATE_TRUNC('MONTH', MIN(claim_service_date)) AS DATE) AS service_month,
    MIN(member_id) AS member_id,
    MIN(claim_status) AS claim_status,
    DATEDIFF(MIN(adjudicated_date), MIN(received_date)) AS days_to_adjudicate,
    COUNT(*) AS line_count,
    SUM(billed_amount) AS billed_amount,
    SUM(allowed_amount) AS allowed_amount,
    SUM(paid_amount) AS paid_amount,
    SUM(COALESCE(deductible_amount, 0) + COALESCE(coinsurance_amount, 0) + COALESCE(copay_amount, 0)) AS member_responsibility
  FROM claims_clean
  GROUP BY payer_id, claim_id
)
SELECT
  service_month,
  payer_id,
  COUNT(*) AS claim_count,
  SUM(line_count) AS line_count,
  COUNT(DISTINCT member_id) AS member_count,
  SUM(billed_amount) AS billed_amount,
  COALESCE(SUM(allowed_amount), 0) AS allowed_amount,
  COALESCE(SUM(paid_amount), 0) AS paid_amount,
  SUM(member_responsibility) AS member_responsibility,
  COUNT_IF(claim_status = 'denied') AS denied_claim_count,
  COUNT_IF(claim_status IN ('paid', 'denied', 'reversed')) AS adjudicated_claim_count,
  CAST(COUNT_IF(claim_status = 'denied') AS DOUBLE)
    / NULLIF(CAST(COUNT_IF(claim_status IN ('paid', 'denied', 'reversed')) AS DOUBLE), 0) AS denial_rate,
  CAST(SUM(billed_amount) AS DOUBLE) / CAST(COUNT(*) AS DOUBLE) AS average_billed_per_claim,
  MEDIAN(CAST(days_to_adjudicate AS DOUBLE)) AS median_days_to_adjudicate
FROM claims
GROUP BY service_month, payer_id
