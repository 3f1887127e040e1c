/*
table: healthcare_gold.provider_performance
about: Claims, money and denial rate of each rendering provider by payer and year of service.
grain: [rendering_npi, payer_id, service_year]
owner: provider relations
partition: service_year
touched_by: service_year
columns:
  rendering_npi:             {type: string, about: rendering provider}
  payer_id:                  {type: string, about: payer}
  service_year:              {type: int, about: year of claim_service_date}
  claim_count:               {type: bigint, additive: true, about: "claims, every status"}
  member_count:              {type: bigint, about: distinct members}
  billed_amount:             {type: "decimal(18,2)", additive: true, about: "charges, USD"}
  allowed_amount:            {type: "decimal(18,2)", additive: true, about: "allowed, USD"}
  paid_amount:               {type: "decimal(18,2)", additive: true, about: "paid by the payer, USD"}
  adjudicated_claim_count:   {type: bigint, additive: true, about: "paid, denied or reversed claims"}
  denied_claim_count:        {type: bigint, additive: true, about: denied claims}
  denial_rate:               {type: double, about: denied / adjudicated claims}
  denial_rate_low:           {type: double, about: "lower Wilson bound, 95 %"}
  denial_rate_high:          {type: double, about: "upper Wilson bound, 95 %"}
  median_days_to_adjudicate: {type: double, about: "interpolated median, days, one value a claim"}
  top_denial_code:           {type: string, about: "most frequent denial, as CO-97; ties to the lowest"}
  is_ranked:                 {type: boolean, about: 30 claims or more}
ties:                        # each additive column again, over the lines of claims_clean, by year and payer
  claim_count: COUNT(DISTINCT claim_id)
  billed_amount: SUM(billed_amount)
  allowed_amount: SUM(allowed_amount)
  paid_amount: SUM(paid_amount)
  adjudicated_claim_count: COUNT(DISTINCT CASE WHEN NOT claim_status IN ('pending', 'rejected') THEN claim_id END)
  denied_claim_count: COUNT(DISTINCT CASE WHEN claim_status = 'denied' THEN claim_id END)
checks:
  - denied_claim_count <= adjudicated_claim_count
  - denial_rate IS NULL OR (denial_rate_low <= denial_rate AND denial_rate <= denial_rate_high)
  - (top_denial_code IS NULL) = (denied_claim_count = 0)
  - is_ranked = (claim_count >= 30)
*/
WITH claims AS (
  SELECT
    payer_id,
    claim_id,
    MIN(rendering_npi) AS rendering_npi,
    YEAR(MIN(claim_service_date)) AS service_year,
    MIN(member_id) AS member_id,
    MIN(claim_status) AS claim_status,
    MIN(CASE WHEN claim_status = 'denied' THEN CONCAT(denial_group, '-', denial_code) END) AS denial,
    DATEDIFF(MIN(adjudicated_date), MIN(received_date)) AS days_to_adjudicate,
    SUM(billed_amount) AS billed_amount,
    SUM(allowed_amount) AS allowed_amount,
    SUM(paid_amount) AS paid_amount
  FROM claims_clean
  GROUP BY payer_id, claim_id
),
denials AS (
  SELECT rendering_npi, payer_id, service_year, denial, COUNT(*) AS denial_count
  FROM claims
  WHERE denial IS NOT NULL
  GROUP BY rendering_npi, payer_id, service_year, denial
),
top_denials AS (
  SELECT rendering_npi, payer_id, service_year, denial AS top_denial_code
  FROM denials
  QUALIFY ROW_NUMBER() OVER (PARTITION BY rendering_npi, payer_id, service_year ORDER BY denial_count DESC, denial ASC) = 1
),
totals AS (
  SELECT
    rendering_npi,
    payer_id,
    service_year,
    COUNT(*) AS claim_count,
    COUNT(DISTINCT member_id) AS member_count,
    SUM(billed_amount) AS billed_amount,
    COALESCE(SUM(allowed_amount), 0) AS allowed_amount,
    COALESCE(SUM(paid_amount), 0) AS paid_amount,
    COUNT_IF(claim_status IN ('paid', 'denied', 'reversed')) AS adjudicated_claim_count,
    COUNT_IF(claim_status = 'denied') AS denied_claim_count,
    MEDIAN(CAST(days_to_adjudicate AS DOUBLE)) AS median_days_to_adjudicate
  FROM claims
  GROUP BY rendering_npi, payer_id, service_year
),
rates AS (
  SELECT
    *,
    CAST(NULLIF(adjudicated_claim_count, 0) AS DOUBLE) AS n,
    CAST(denied_claim_count AS DOUBLE) / CAST(NULLIF(adjudicated_claim_count, 0) AS DOUBLE) AS p,
    1.959963984540054D AS z
  FROM totals
)
SELECT
  rates.rendering_npi,
  rates.payer_id,
  rates.service_year,
  rates.claim_count,
  rates.member_count,
  rates.billed_amount,
  rates.allowed_amount,
  rates.paid_amount,
  rates.adjudicated_claim_count,
  rates.denied_claim_count,
  rates.p AS denial_rate,
  GREATEST(0D, LEAST(rates.p, (rates.p + z * z / (2D * n) - z * SQRT(p * (1D - p) / n + z * z / (4D * n * n))) / (1D + z * z / n))) AS denial_rate_low,
  LEAST(1D, GREATEST(rates.p, (rates.p + z * z / (2D * n) + z * SQRT(p * (1D - p) / n + z * z / (4D * n * n))) / (1D + z * z / n))) AS denial_rate_high,
  rates.median_days_to_adjudicate,
  top_denials.top_denial_code,
  rates.claim_count >= 30 AS is_ranked
FROM rates
LEFT JOIN top_denials
  ON top_denials.rendering_npi = rates.rendering_npi
  AND top_denials.payer_id = rates.payer_id
  AND top_denials.service_year = rates.service_year
