/*
table: healthcare_gold.denial_reasons
about: Denied claims and their charges by month of service, payer, denial group and code.
grain: [service_month, payer_id, denial_group, denial_code]
owner: claims analytics
partition: month(service_month)
touched_by: claim_service_date
columns:
  service_month:          {type: date, about: first day of the month of claim_service_date}
  payer_id:               {type: string, about: payer}
  denial_group:           {type: string, about: "CO, PR, OA or PI"}
  denial_code:            {type: string, about: claim adjustment reason code}
  claim_count:            {type: bigint, additive: true, about: denied claims}
  denied_amount:          {type: "decimal(18,2)", additive: true, about: "billed amount of denied claims, USD"}
  share_of_denied_amount: {type: double, about: denied_amount / denied_amount of the month and payer}
ties:                        # each additive column again, over the lines of claims_clean, by month and payer
  claim_count: COUNT(DISTINCT claim_id)
  denied_amount: SUM(billed_amount)
ties_from: (SELECT * FROM claims_clean WHERE claim_status = 'denied') AS lines
checks:
  - claim_count > 0
  - denied_amount > 0
  - share_of_denied_amount <= 1
*/
WITH denied AS (
  SELECT
    payer_id,
    claim_id,
    CAST(DATE_TRUNC('MONTH', MIN(claim_service_date)) AS DATE) AS service_month,
    MIN(denial_group) AS denial_group,
    MIN(denial_code) AS denial_code,
    SUM(billed_amount) AS billed_amount
  FROM claims_clean
  WHERE claim_status = 'denied'
  GROUP BY payer_id, claim_id
),
reasons AS (
  SELECT
    service_month,
    payer_id,
    denial_group,
    denial_code,
    COUNT(*) AS claim_count,
    SUM(billed_amount) AS denied_amount
  FROM denied
  GROUP BY service_month, payer_id, denial_group, denial_code
)
SELECT
  service_month,
  payer_id,
  denial_group,
  denial_code,
  claim_count,
  denied_amount,
  CAST(denied_amount AS DOUBLE)
    / NULLIF(CAST(SUM(denied_amount) OVER (PARTITION BY service_month, payer_id) AS DOUBLE), 0) AS share_of_denied_amount
FROM reasons
