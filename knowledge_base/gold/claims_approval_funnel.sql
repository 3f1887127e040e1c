/*
table: healthcare_gold.claims_approval_funnel
about: How many claims received in a month get how far, by payer.
grain: [received_month, payer_id, stage]
owner: claims analytics
partition: month(received_month)
touched_by: received_date
columns:
  received_month:     {type: date, about: first day of the month of received_date of the current version}
  payer_id:           {type: string, about: payer}
  stage:              {type: string, about: "submitted, accepted, adjudicated, approved or paid"}
  stage_order:        {type: int, about: 1 to 5}
  claim_count:        {type: bigint, additive: true, about: claims that reached the stage}
  billed_amount:      {type: "decimal(18,2)", additive: true, about: "their charges, USD"}
  share_of_submitted: {type: double, about: claim_count / claim_count of submitted}
  share_of_previous:  {type: double, about: "claim_count / claim_count of the stage before; null for submitted and where that is 0"}
ties:                        # each additive column again, over the lines of claims_clean, by month and payer
  claim_count: >-
    COUNT(DISTINCT claim_id)
    + COUNT(DISTINCT CASE WHEN claim_status <> 'rejected' THEN claim_id END)
    + COUNT(DISTINCT CASE WHEN claim_status IN ('paid', 'denied', 'reversed') THEN claim_id END)
    + COUNT(DISTINCT CASE WHEN claim_status = 'paid' THEN claim_id END)
    + COUNT(DISTINCT CASE WHEN claim_status = 'paid' AND paid_date IS NOT NULL AND paid_amount > 0 THEN claim_id END)
  billed_amount: >-
    SUM(billed_amount * (1
      + CASE WHEN claim_status <> 'rejected' THEN 1 ELSE 0 END
      + CASE WHEN claim_status IN ('paid', 'denied', 'reversed') THEN 1 ELSE 0 END
      + CASE WHEN claim_status = 'paid' THEN 1 ELSE 0 END
      + CASE WHEN claim_status = 'paid' AND paid_date IS NOT NULL AND claim_paid > 0 THEN 1 ELSE 0 END))
ties_from: (SELECT *, SUM(paid_amount) OVER (PARTITION BY payer_id, claim_id) AS claim_paid FROM claims_clean) AS lines
checks:
  - share_of_submitted <= 1
  - share_of_previous IS NULL OR share_of_previous <= 1
  - (stage = 'submitted') = (stage_order = 1)
*/
WITH claims AS (
  SELECT
    payer_id,
    claim_id,
    CAST(DATE_TRUNC('MONTH', MIN(received_date)) AS DATE) AS received_month,
    MIN(claim_status) AS claim_status,
    MIN(paid_date) AS paid_date,
    SUM(billed_amount) AS billed_amount,
    SUM(paid_amount) AS paid_amount
  FROM claims_clean
  GROUP BY payer_id, claim_id
),
reached AS (
  SELECT
    received_month,
    payer_id,
    billed_amount,
    CASE
      WHEN claim_status = 'rejected' THEN 1
      WHEN claim_status = 'pending' THEN 2
      WHEN claim_status <> 'paid' THEN 3
      WHEN paid_amount > 0 AND paid_date IS NOT NULL THEN 5
      ELSE 4
    END AS last_stage
  FROM claims
),
stages AS (
  SELECT 1 AS stage_order, 'submitted' AS stage
  UNION ALL SELECT 2 AS stage_order, 'accepted' AS stage
  UNION ALL SELECT 3 AS stage_order, 'adjudicated' AS stage
  UNION ALL SELECT 4 AS stage_order, 'approved' AS stage
  UNION ALL SELECT 5 AS stage_order, 'paid' AS stage
),
counted AS (
  SELECT
    reached.received_month,
    reached.payer_id,
    stages.stage,
    stages.stage_order,
    COUNT_IF(reached.last_stage >= stages.stage_order) AS claim_count,
    SUM(CASE WHEN reached.last_stage >= stages.stage_order THEN reached.billed_amount ELSE 0 END) AS billed_amount
  FROM reached
  CROSS JOIN stages
  GROUP BY reached.received_month, reached.payer_id, stages.stage, stages.stage_order
)
SELECT
  received_month,
  payer_id,
  stage,
  stage_order,
  claim_count,
  billed_amount,
  CAST(claim_count AS DOUBLE)
    / NULLIF(CAST(MAX(claim_count) OVER (PARTITION BY received_month, payer_id) AS DOUBLE), 0) AS share_of_submitted,
  CAST(claim_count AS DOUBLE)
    / NULLIF(CAST(LAG(claim_count) OVER (PARTITION BY received_month, payer_id ORDER BY stage_order) AS DOUBLE), 0) AS share_of_previous
FROM counted
