-- One payer's `lines` split into accepted and quarantined, and the current version of each claim. The payer sent one file.
CREATE TEMP TABLE versions AS
SELECT claim_id, version_key,
    bool_or(own_error) AS own_error,
    COALESCE(min(header) <> max(header), FALSE) AS header_differs,
    -- Never false where a line number stands twice; the next statement looks closer.
    count(line_number) > bit_count(bit_or(1::BIGINT << (line_number & 31))) AS doubled,
    bool_or(version_kind = 'original') AS is_original,
    bool_or(version_kind = 'reversal') AS is_reversal,
    min(service_from) AS service_from,
    any_value(member_id) AS member_id
FROM lines WHERE NOT damaged AND claim_id IS NOT NULL AND version_key IS NOT NULL
GROUP BY claim_id, version_key;

CREATE TEMP TABLE twice AS
SELECT claim_id, version_key, line_number, min(content) <> max(content) AS differs, min(row_id) AS first_row_id
FROM lines SEMI JOIN (FROM versions WHERE doubled) USING (claim_id, version_key)
WHERE NOT damaged AND line_number IS NOT NULL
GROUP BY claim_id, version_key, line_number HAVING count(*) > 1;

-- Of a line that stands twice with one content, the smallest row_id is current.
CREATE TEMP TABLE spare_rows AS
SELECT row_id FROM lines INNER JOIN twice USING (claim_id, version_key, line_number) WHERE NOT damaged AND row_id <> first_row_id;

CREATE TEMP TABLE bad_versions AS
SELECT claim_id, version_key, header_differs FROM versions
WHERE own_error OR header_differs OR (doubled AND (claim_id, version_key) IN (SELECT (claim_id, version_key) FROM twice WHERE differs));

-- Where the version of a line in error cannot be told, every version of its claim is set aside.
CREATE TEMP TABLE bad_claims AS
SELECT DISTINCT claim_id FROM lines WHERE own_error AND claim_id IS NOT NULL AND (version_key IS NULL OR damaged);

CREATE TEMP TABLE repeats AS
SELECT content FROM lines WHERE NOT damaged GROUP BY content HAVING count(*) > 1 AND min(claim_id) <> max(claim_id);

CREATE TEMP TABLE good_versions AS
FROM versions ANTI JOIN bad_versions USING (claim_id, version_key) ANTI JOIN bad_claims USING (claim_id);

CREATE TEMP TABLE heads AS
SELECT claim_id, max(version_key) AS version_key, CAST(count(*) AS INTEGER) AS claim_version, NOT bool_or(is_original) AS original_unknown,
    arg_max(service_from, version_key) AS claim_service_date, arg_max(is_reversal, version_key) AS is_reversal,
    arg_max(member_id, version_key) AS member_id
FROM good_versions GROUP BY claim_id;

-- A reversal mirrors the version before it: line by line the amounts of the two add up to nothing.
CREATE TEMP TABLE mismatches AS
WITH pairs AS (
    SELECT claim_id, version_key FROM heads WHERE is_reversal
    UNION ALL
    SELECT v.claim_id, max(v.version_key) FROM good_versions AS v INNER JOIN heads AS h ON h.claim_id = v.claim_id
    WHERE h.is_reversal AND v.version_key < h.version_key GROUP BY v.claim_id
),
mirrored AS (SELECT claim_id FROM pairs GROUP BY claim_id HAVING count(*) = 2)
SELECT DISTINCT claim_id FROM (
    SELECT claim_id FROM lines SEMI JOIN pairs USING (claim_id, version_key) SEMI JOIN mirrored USING (claim_id)
    ANTI JOIN spare_rows USING (row_id)
    GROUP BY claim_id, line_number HAVING count(*) <> 2 OR $unequal
);

COPY (
    SELECT row_id, '$payer' AS payer_id, '$file_id' AS file_id, record_number, raw_line,
        CASE WHEN own_error OR b.header_differs OR t.differs
            THEN list_concat(COALESCE(errors, []), CASE WHEN b.header_differs THEN [$header_differs] ELSE [] END,
                CASE WHEN t.differs THEN [$version_differs] ELSE [] END)
            ELSE [$sibling] END AS errors,
        'open' AS status, CAST('$run_date' AS TIMESTAMP) AS quarantined_at
    FROM lines
    LEFT JOIN bad_versions AS b ON b.claim_id = lines.claim_id AND b.version_key = lines.version_key AND NOT damaged
    LEFT JOIN bad_claims AS c ON c.claim_id = lines.claim_id
    LEFT JOIN twice AS t ON t.claim_id = lines.claim_id AND t.version_key = lines.version_key AND t.line_number = lines.line_number
        AND t.differs AND NOT damaged
    WHERE own_error OR b.claim_id IS NOT NULL OR c.claim_id IS NOT NULL
) TO '$out/claims_quarantined/$payer.parquet' ($format);

COPY (
    SELECT '$payer' AS payer_id, $contract,
        CASE WHEN r.content IS NULL THEN quality_warnings ELSE list_append(quality_warnings, 'content_repeats') END AS quality_warnings,
        row_id, '$file_id' AS file_id
    FROM lines ANTI JOIN bad_versions USING (claim_id, version_key) ANTI JOIN bad_claims USING (claim_id)
    LEFT JOIN repeats AS r ON r.content = lines.content
    WHERE NOT own_error
) TO '$out/claims_history/$payer.parquet' ($format);
