-- One record a service line; orig_clm_no names the root, freq_cd the kind of version; the ABK diagnosis is the principal one.
SELECT
    record_number, CAST(NOT damaged AS INTEGER) AS line_index, damaged, raw_line,
    NULLIF(orig_clm_no, '') AS claim_id,
    clm_line AS t_line_number, whole(clm_line) AS line_number,
    svc_from_dt AS t_service_from, compact_day(svc_from_dt) AS service_from,
    svc_to_dt AS t_service_to, compact_day(svc_to_dt) AS service_to,
    recv_dt AS t_received_date, compact_day(recv_dt) AS received_date,
    NULLIF(adjud_dt, '00000000') AS t_adjudicated_date, compact_day(t_adjudicated_date) AS adjudicated_date,
    NULLIF(paid_dt, '00000000') AS t_paid_date, compact_day(t_paid_date) AS paid_date,
    '' AS t_version_key, received_date || '|' || NULLIF(clm_no, '') AS version_key,
    freq_cd AS t_version_kind, CASE freq_cd WHEN '1' THEN 'original' WHEN '7' THEN 'replacement' WHEN '8' THEN 'reversal' END AS version_kind,
    NULLIF(mbr_id, '') AS member_id,
    birth_yr AS t_birth_year, whole(birth_yr) AS birth_year,
    sex_cd AS t_sex, CASE WHEN sex_cd IN ('F', 'M', 'U') THEN sex_cd END AS sex,
    NULLIF(plan_cd, '') AS plan_code,
    bill_npi AS t_billing_npi, unpadded(bill_npi) AS billing_npi,
    rend_npi AS t_rendering_npi, unpadded(rend_npi) AS rendering_npi,
    NULLIF(pos_cd, '') AS place_of_service,
    dx.*,
    NULLIF(proc_cd, '') AS procedure_code, filled(mod_1, mod_2) AS modifiers,
    units AS t_units, whole(records.units) AS units,
    billed_amt AS t_billed_amount, cents(billed_amt) AS billed_amount,
    allowed_amt AS t_allowed_amount, cents(allowed_amt) AS allowed_amount,
    paid_amt AS t_paid_amount, cents(paid_amt) AS paid_amount,
    ded_amt AS t_deductible_amount, cents(ded_amt) AS deductible_amount,
    coins_amt AS t_coinsurance_amount, cents(coins_amt) AS coinsurance_amount,
    copay_amt AS t_copay_amount, cents(copay_amt) AS copay_amount,
    cob_amt AS t_other_payer_amount, cents(cob_amt) AS other_payer_amount,
    CASE WHEN status_cd IN ('1', '2', '3') THEN 'paid' WHEN status_cd = '4' THEN 'denied'
        WHEN status_cd = '22' THEN 'reversed' WHEN status_cd = '0' THEN 'pending' END AS claim_status,
    FALSE AS denial_bad, NULLIF(denial_grp, '') AS denial_group, NULLIF(denial_cd, '') AS denial_code
FROM ($records) AS records
LEFT JOIN dx ON d1 = diag_1 AND d2 = diag_2 AND d3 = diag_3 AND d4 = diag_4
    AND q1 = diag_qual_1 AND q2 = diag_qual_2 AND q3 = diag_qual_3 AND q4 = diag_qual_4
