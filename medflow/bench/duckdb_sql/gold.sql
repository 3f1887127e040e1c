-- The five gold tables of one payer, all from `claims`, one row a claim.
COPY (
    SELECT service_month, '$payer' AS payer_id, count(*) AS claim_count, CAST(sum(line_count) AS BIGINT) AS line_count,
        count(DISTINCT member_id) AS member_count, $money,
        CAST(sum(member_responsibility) AS DECIMAL(18, 2)) AS member_responsibility,
        count(*) FILTER (claim_status = 'denied') AS denied_claim_count,
        count(*) FILTER (claim_status IN ('paid', 'denied', 'reversed')) AS adjudicated_claim_count,
        CAST(denied_claim_count AS DOUBLE) / NULLIF(adjudicated_claim_count, 0) AS denial_rate,
        CAST(sum(billed_amount) AS DOUBLE) / count(*) AS average_billed_per_claim,
        median(days_to_adjudicate) AS median_days_to_adjudicate
    FROM claims GROUP BY service_month
) TO '$out/claims_monthly_summary/$payer.parquet' ($format);

COPY (
    WITH reached AS (
        SELECT received_month, billed_amount, CASE WHEN claim_status = 'rejected' THEN 1 WHEN claim_status = 'pending' THEN 2
            WHEN claim_status <> 'paid' THEN 3 WHEN paid_amount > 0 AND paid_date IS NOT NULL THEN 5 ELSE 4 END AS last_stage
        FROM claims
    ),
    summed AS (SELECT received_month, last_stage, count(*) AS claims, sum(billed_amount) AS billed FROM reached GROUP BY ALL),
    counted AS (
        SELECT received_month, stage, stage_order, COALESCE(sum(claims) FILTER (last_stage >= stage_order), 0) AS claim_count,
            COALESCE(sum(billed) FILTER (last_stage >= stage_order), 0) AS billed_amount
        FROM summed CROSS JOIN (VALUES (1, 'submitted'), (2, 'accepted'), (3, 'adjudicated'), (4, 'approved'), (5, 'paid'))
            AS stages (stage_order, stage)
        GROUP BY ALL
    )
    SELECT received_month, '$payer' AS payer_id, stage, stage_order, CAST(claim_count AS BIGINT) AS claim_count,
        CAST(billed_amount AS DECIMAL(18, 2)) AS billed_amount,
        CAST(claim_count AS DOUBLE) / NULLIF(max(claim_count) OVER (PARTITION BY received_month), 0) AS share_of_submitted,
        CAST(claim_count AS DOUBLE) / NULLIF(lag(claim_count) OVER (PARTITION BY received_month ORDER BY stage_order), 0) AS share_of_previous
    FROM counted
) TO '$out/claims_approval_funnel/$payer.parquet' ($format);

COPY (
    WITH totals AS (
        SELECT rendering_npi, service_year, count(*) AS claim_count, count(DISTINCT member_id) AS member_count, $money,
            count(*) FILTER (claim_status IN ('paid', 'denied', 'reversed')) AS adjudicated_claim_count,
            count(*) FILTER (claim_status = 'denied') AS denied_claim_count,
            median(days_to_adjudicate) AS median_days_to_adjudicate
        FROM claims GROUP BY rendering_npi, service_year
    ),
    denials AS (
        SELECT rendering_npi, service_year, denial_group || '-' || denial_code AS denial, count(*) AS denial_count
        FROM claims WHERE claim_status = 'denied' GROUP BY ALL
    ),
    top_denials AS (
        FROM denials QUALIFY row_number() OVER (PARTITION BY rendering_npi, service_year ORDER BY denial_count DESC, denial) = 1
    ),
    rates AS (
        SELECT *, CAST(NULLIF(adjudicated_claim_count, 0) AS DOUBLE) AS n, denied_claim_count / n AS p, 1.959963984540054::DOUBLE AS z FROM totals
    )
    SELECT rates.rendering_npi, '$payer' AS payer_id, rates.service_year, claim_count, member_count, billed_amount, allowed_amount, paid_amount,
        adjudicated_claim_count, denied_claim_count, p AS denial_rate,
        greatest(0, least(p, (p + z * z / (2 * n) - z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n))) AS denial_rate_low,
        least(1, greatest(p, (p + z * z / (2 * n) + z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n))) AS denial_rate_high,
        median_days_to_adjudicate, denial AS top_denial_code, claim_count >= 30 AS is_ranked
    FROM rates LEFT JOIN top_denials USING (rendering_npi, service_year)
) TO '$out/provider_performance/$payer.parquet' ($format);

COPY (
    WITH reasons AS (
        SELECT service_month, denial_group, denial_code, count(*) AS claim_count, CAST(sum(billed_amount) AS DECIMAL(18, 2)) AS denied_amount
        FROM claims WHERE claim_status = 'denied' GROUP BY ALL
    )
    SELECT service_month, '$payer' AS payer_id, denial_group, denial_code, claim_count, denied_amount,
        CAST(denied_amount AS DOUBLE) / NULLIF(CAST(sum(denied_amount) OVER (PARTITION BY service_month) AS DOUBLE), 0) AS share_of_denied_amount
    FROM reasons
) TO '$out/denial_reasons/$payer.parquet' ($format);

COPY (
    SELECT service_month, '$payer' AS payer_id, condition, count(*) AS claim_count, count(DISTINCT member_id) AS member_count, $money,
        CAST(sum(billed_amount) AS DOUBLE) / count(*) AS average_billed_per_claim
    FROM claims INNER JOIN conditions ON category BETWEEN conditions.first AND conditions.last
    GROUP BY service_month, condition
) TO '$out/condition_costs/$payer.parquet' ($format);
