-- The lines of one payer, typed and judged by every rule that one line can break by itself.
WITH found AS (
    SELECT cells.*, CAST('$run_date' AS DATE) AS ingest_date, places.code IS NULL AND place_of_service IS NOT NULL AS place_unknown,
        TRY_CAST(rendering_npi AS BIGINT) AS rendering_number, TRY_CAST(billing_npi AS BIGINT) AS billing_number
    FROM ($cells) AS cells
    LEFT JOIN places ON places.code = place_of_service
),
flagged AS (
    SELECT * REPLACE (
            COALESCE(version_kind, CASE WHEN t_version_kind <> '' OR '$payer' = 'unitedhealth' THEN NULL WHEN claim_status = 'reversed' THEN 'reversal'
                WHEN version_key = '000000' THEN 'original' ELSE 'replacement' END) AS version_kind
        ),
        $flags,
        t_rendering_npi <> '' AND NOT COALESCE(regexp_full_match(rendering_npi, '[0-9]{10}') AND luhn(rendering_number), FALSE) AS rendering_npi_wrong,
        t_billing_npi <> '' AND NOT COALESCE(regexp_full_match(billing_npi, '[0-9]{10}') AND luhn(billing_number), FALSE) AS billing_npi_wrong,
        t_rendering_npi = '' AS rendering_npi_blank,
        NOT regexp_full_match(procedure_code, '[0-9]{4}[0-9FTU]|[A-Z][0-9]{4}') AS procedure_wrong
    FROM found
),
judged AS (
    SELECT *, damaged OR COALESCE($wrong, FALSE) AS own_error, COALESCE($worth_telling, FALSE) AS warned FROM flagged
)
SELECT
    sha256('$file_id:' || record_number || ':' || line_index) AS row_id, record_number, damaged, raw_line,
    claim_id, line_number, version_key, version_kind, member_id, birth_year, COALESCE(sex, 'U') AS sex, plan_code,
    NULLIF(billing_npi, '') AS billing_npi, NULLIF(rendering_npi, '') AS rendering_npi, place_of_service,
    principal_diagnosis, diagnosis_codes,
    procedure_code, modifiers, units, service_from, service_to, received_date, adjudicated_date, paid_date, billed_amount,
    $decided,
    claim_status, denial_group, denial_code, own_error,
    CASE WHEN damaged THEN [$damaged] WHEN own_error THEN list_filter([$errors], lambda e: e IS NOT NULL) END AS errors,
    CASE WHEN warned THEN list_filter([$warnings], lambda w: w IS NOT NULL) ELSE CAST([] AS VARCHAR[]) END AS quality_warnings,
    CASE WHEN NOT ($header_bad) THEN hash(member_id, birth_year, sex, plan_code, billing_npi, rendering_npi, dx_text, received_date,
        adjudicated_date, paid_date, claim_status, denial_group, denial_code) END AS header,
    hash(member_id, birth_year, sex, plan_code, billing_npi, rendering_npi, place_of_service, dx_text, procedure_code, modifiers, units,
        service_from, service_to, received_date, adjudicated_date, paid_date, billed_amount, allowed_amount, paid_amount, deductible_amount,
        coinsurance_amount, copay_amount, other_payer_amount, claim_status, denial_group, denial_code) AS content
FROM judged
