-- One record a claim version with up to four line groups side by side; a group with any field filled is one line.
-- What the record says of the whole claim is read once, before the record is spread over its lines.
WITH heads AS (
    SELECT records.*, dx.*,
        NULLIF(CASE WHEN contains("Claim Number", '-A') THEN regexp_replace("Claim Number", '-A[0-9]{1,6}$$', '') ELSE "Claim Number" END, '')
            AS claim_id,
        CASE WHEN contains("Claim Number", '-A') THEN lpad(regexp_extract("Claim Number", '-A([0-9]{1,6})$$', 1), 6, '0')
            WHEN "Claim Number" <> '' THEN '000000' END AS version_key,
        whole("Birth Year") AS birth_year,
        us_day("Service From") AS service_from, us_day("Service To") AS service_to, us_day("Received Date") AS received_date,
        us_day("Decision Date") AS adjudicated_date, us_day("Payment Date") AS paid_date,
        CASE "Claim Status" WHEN 'P' THEN 'paid' WHEN 'D' THEN 'denied' WHEN 'S' THEN 'pending' WHEN 'R' THEN 'rejected' END AS status,
        NOT damaged AND ("Proc 1" <> '' OR "Modifiers 1" <> '' OR "Units 1" <> '' OR "Charge 1" <> '' OR "Allowed 1" <> '' OR "Paid 1" <> ''
            OR "Deductible 1" <> '' OR "Coinsurance 1" <> '' OR "Copay 1" <> '' OR "Other Payer 1" <> '') AS has_1,
        NOT damaged AND ("Proc 2" <> '' OR "Modifiers 2" <> '' OR "Units 2" <> '' OR "Charge 2" <> '' OR "Allowed 2" <> '' OR "Paid 2" <> ''
            OR "Deductible 2" <> '' OR "Coinsurance 2" <> '' OR "Copay 2" <> '' OR "Other Payer 2" <> '') AS has_2,
        NOT damaged AND ("Proc 3" <> '' OR "Modifiers 3" <> '' OR "Units 3" <> '' OR "Charge 3" <> '' OR "Allowed 3" <> '' OR "Paid 3" <> ''
            OR "Deductible 3" <> '' OR "Coinsurance 3" <> '' OR "Copay 3" <> '' OR "Other Payer 3" <> '') AS has_3,
        NOT damaged AND ("Proc 4" <> '' OR "Modifiers 4" <> '' OR "Units 4" <> '' OR "Charge 4" <> '' OR "Allowed 4" <> '' OR "Paid 4" <> ''
            OR "Deductible 4" <> '' OR "Coinsurance 4" <> '' OR "Copay 4" <> '' OR "Other Payer 4" <> '') AS has_4
    FROM ($records) AS records
    LEFT JOIN dx ON dx_text = "Diagnosis Codes"
),
spread AS (
    SELECT heads.*, k,
        CASE k WHEN 1 THEN "Proc 1" WHEN 2 THEN "Proc 2" WHEN 3 THEN "Proc 3" WHEN 4 THEN "Proc 4" END AS proc,
        CASE k WHEN 1 THEN "Modifiers 1" WHEN 2 THEN "Modifiers 2" WHEN 3 THEN "Modifiers 3" WHEN 4 THEN "Modifiers 4" END AS mods,
        CASE k WHEN 1 THEN "Units 1" WHEN 2 THEN "Units 2" WHEN 3 THEN "Units 3" WHEN 4 THEN "Units 4" END AS t_units,
        CASE k WHEN 1 THEN "Charge 1" WHEN 2 THEN "Charge 2" WHEN 3 THEN "Charge 3" WHEN 4 THEN "Charge 4" END AS t_billed_amount,
        CASE k WHEN 1 THEN "Allowed 1" WHEN 2 THEN "Allowed 2" WHEN 3 THEN "Allowed 3" WHEN 4 THEN "Allowed 4" END AS t_allowed_amount,
        CASE k WHEN 1 THEN "Paid 1" WHEN 2 THEN "Paid 2" WHEN 3 THEN "Paid 3" WHEN 4 THEN "Paid 4" END AS t_paid_amount,
        CASE k WHEN 1 THEN "Deductible 1" WHEN 2 THEN "Deductible 2" WHEN 3 THEN "Deductible 3" WHEN 4 THEN "Deductible 4" END
            AS t_deductible_amount,
        CASE k WHEN 1 THEN "Coinsurance 1" WHEN 2 THEN "Coinsurance 2" WHEN 3 THEN "Coinsurance 3" WHEN 4 THEN "Coinsurance 4" END
            AS t_coinsurance_amount,
        CASE k WHEN 1 THEN "Copay 1" WHEN 2 THEN "Copay 2" WHEN 3 THEN "Copay 3" WHEN 4 THEN "Copay 4" END AS t_copay_amount,
        CASE k WHEN 1 THEN "Other Payer 1" WHEN 2 THEN "Other Payer 2" WHEN 3 THEN "Other Payer 3" WHEN 4 THEN "Other Payer 4" END
            AS t_other_payer_amount
    FROM heads CROSS JOIN (VALUES (0), (1), (2), (3), (4)) AS line_group (k)
    WHERE CASE k WHEN 1 THEN has_1 WHEN 2 THEN has_2 WHEN 3 THEN has_3 WHEN 4 THEN has_4 ELSE NOT (has_1 OR has_2 OR has_3 OR has_4) END
)
SELECT
    record_number, k AS line_index, k = 0 AS damaged, raw_line, claim_id,
    '' AS t_line_number, k AS line_number,
    '' AS t_version_key, version_key, '' AS t_version_kind, NULL AS version_kind,
    NULLIF("Member ID", '') AS member_id,
    "Birth Year" AS t_birth_year, birth_year,
    "Gender" AS t_sex, CASE WHEN "Gender" IN ('F', 'M', 'U') THEN "Gender" END AS sex,
    NULLIF("Plan", '') AS plan_code,
    '' AS t_billing_npi, CAST(NULL AS VARCHAR) AS billing_npi,
    "Provider NPI" AS t_rendering_npi, "Provider NPI" AS rendering_npi,
    NULLIF("Place of Service", '') AS place_of_service,
    dx_text, principal_diagnosis, diagnosis_codes, dx_blank, dx_unknown, dx_not_leaf,
    NULLIF(proc, '') AS procedure_code, filled(split_part(mods, ';', 1), split_part(mods, ';', 2)) AS modifiers,
    t_units, whole(t_units) AS units,
    "Service From" AS t_service_from, service_from, "Service To" AS t_service_to, service_to,
    "Received Date" AS t_received_date, received_date, "Decision Date" AS t_adjudicated_date, adjudicated_date,
    "Payment Date" AS t_paid_date, paid_date,
    t_billed_amount, us_dollars(t_billed_amount) AS billed_amount, t_allowed_amount, us_dollars(t_allowed_amount) AS allowed_amount,
    t_paid_amount, us_dollars(t_paid_amount) AS paid_amount, t_deductible_amount, us_dollars(t_deductible_amount) AS deductible_amount,
    t_coinsurance_amount, us_dollars(t_coinsurance_amount) AS coinsurance_amount, t_copay_amount, us_dollars(t_copay_amount) AS copay_amount,
    t_other_payer_amount, us_dollars(t_other_payer_amount) AS other_payer_amount,
    CASE WHEN status = 'paid' AND us_dollars(t_billed_amount) < 0 THEN 'reversed' ELSE status END AS claim_status,
    FALSE AS denial_bad, NULLIF("Denial Group", '') AS denial_group, NULLIF("Denial Code", '') AS denial_code
FROM spread
