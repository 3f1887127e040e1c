-- The lines of the current versions, once each: written whole, and summed up by claim for gold.
CREATE TEMP TABLE claims AS
SELECT claim_id, any_value(lines.member_id) AS member_id, any_value(rendering_npi) AS rendering_npi, any_value(claim_status) AS claim_status,
    CAST(date_trunc('month', any_value(claim_service_date)) AS DATE) AS service_month, year(any_value(claim_service_date)) AS service_year,
    CAST(date_trunc('month', any_value(received_date)) AS DATE) AS received_month,
    CAST(any_value(adjudicated_date) - any_value(received_date) AS DOUBLE) AS days_to_adjudicate, any_value(paid_date) AS paid_date,
    any_value(denial_group) AS denial_group, any_value(denial_code) AS denial_code, left(any_value(principal_diagnosis), 3) AS category,
    count(*) AS line_count, $sums,
    sum(CASE WHEN claim_status = 'reversed' THEN 0
        ELSE COALESCE(deductible_amount, 0) + COALESCE(coinsurance_amount, 0) + COALESCE(copay_amount, 0) END) AS member_responsibility
FROM lines INNER JOIN heads USING (claim_id, version_key) ANTI JOIN spare_rows USING (row_id)
WHERE NOT damaged GROUP BY claim_id;

COPY (
    SELECT '$payer' AS payer_id, claim_id, lines.line_number, h.claim_version, lines.member_id, k.member_key, birth_year,
        CASE WHEN birth_year IS NULL THEN NULL $bands ELSE '85+' END AS age_band,
        sex, plan_code, billing_npi, rendering_npi, place_of_service, principal_diagnosis, diagnosis_codes, procedure_code, modifiers, units,
        lines.service_from, service_to, h.claim_service_date, received_date, adjudicated_date, paid_date,
        $amounts,
        claim_status, denial_group, denial_code,
        CASE WHEN r.content IS NULL AND NOT h.original_unknown AND m.claim_id IS NULL THEN quality_warnings
            ELSE list_concat(quality_warnings, CASE WHEN r.content IS NULL THEN [] ELSE ['content_repeats'] END,
                CASE WHEN h.original_unknown THEN ['original_unknown'] ELSE [] END,
                CASE WHEN m.claim_id IS NULL THEN [] ELSE ['reversal_mismatch'] END) END AS quality_warnings,
        row_id, '$file_id' AS file_id
    FROM lines
    INNER JOIN heads AS h USING (claim_id, version_key)
    INNER JOIN member_keys AS k ON k.member_id = h.member_id
    LEFT JOIN mismatches AS m USING (claim_id)
    LEFT JOIN repeats AS r ON r.content = lines.content
    ANTI JOIN spare_rows USING (row_id)
    WHERE NOT damaged
) TO '$out/claims_clean/$payer.parquet' ($format);
