/*
table: healthcare_gold.condition_costs
about: Claims and money of the listed conditions by month of service and payer; a claim in none has no row here.
grain: [service_month, payer_id, condition]
owner: care analytics
partition: month(service_month)
touched_by: claim_service_date
reads_codes: [conditions]
columns:
  service_month:            {type: date, about: first day of the month of claim_service_date}
  payer_id:                 {type: string, about: payer}
  condition:                {type: string, about: condition of the principal diagnosis}
  claim_count:              {type: bigint, additive: true, about: "claims, every status"}
  member_count:             {type: bigint, about: distinct members}
  billed_amount:            {type: "decimal(18,2)", additive: true, about: "charges, USD"}
  allowed_amount:           {type: "decimal(18,2)", additive: true, about: "allowed, USD"}
  paid_amount:              {type: "decimal(18,2)", additive: true, about: "paid by the payer, USD"}
  average_billed_per_claim: {type: double, about: "billed_amount / claim_count, USD"}
ties:                        # each additive column again, over the lines of claims_clean, by month and payer
  claim_count: COUNT(DISTINCT claim_id)
  billed_amount: SUM(billed_amount)
  allowed_amount: SUM(allowed_amount)
  paid_amount: SUM(paid_amount)
ties_from: claims_clean INNER JOIN conditions ON LEFT(principal_diagnosis, 3) BETWEEN conditions.first AND conditions.last
checks:
  - claim_count > 0
  - member_count <= claim_count
  - paid_amount <= billed_amount
*/
WITH claims AS (
  SELECT
    payer_id,
    claim_id,
    CAST(DATE_TRUNC('MONTH', MIN(claim_service_date)) AS DATE) AS service_month,
    SUBSTRING(MIN(principal_diagnosis), 1, 3) AS category,
    MIN(member_id) AS member_id,
    SUM(billed_amount) AS billed_amount,
    SUM(allowed_amount) AS allowed_amount,
    SUM(paid_amount) AS paid_amount
  FROM claims_clean
  GROUP BY payer_id, claim_id
)
SELECT
  claims.service_month,
  claims.payer_id,
  conditions.condition,
  COUNT(*) AS claim_count,
  COUNT(DISTINCT claims.member_id) AS member_count,
  SUM(claims.billed_amount) AS billed_amount,
  COALESCE(SUM(claims.allowed_amount), 0) AS allowed_amount,
  COALESCE(SUM(claims.paid_amount), 0) AS paid_amount,
  CAST(SUM(claims.billed_amount) AS DOUBLE) / CAST(COUNT(*) AS DOUBLE) AS average_billed_per_claim
FROM claims
INNER JOIN conditions
  ON claims.category >= conditions.first AND claims.category <= conditions.last
GROUP BY claims.service_month, claims.payer_id, conditions.condition
