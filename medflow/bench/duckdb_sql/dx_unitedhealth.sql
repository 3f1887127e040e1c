-- What each set of diagnoses and qualifiers in the file comes to, once a set; the ABK diagnosis goes first.
CREATE TEMP TABLE dx AS
WITH sets AS (
    SELECT DISTINCT diag_1 AS d1, diag_2 AS d2, diag_3 AS d3, diag_4 AS d4,
        diag_qual_1 AS q1, diag_qual_2 AS q2, diag_qual_3 AS q3, diag_qual_4 AS q4
    FROM ($cells)
),
placed AS (
    SELECT *, CASE WHEN q1 = 'ABK' AND d1 <> '' THEN 1 WHEN q2 = 'ABK' AND d2 <> '' THEN 2 WHEN q3 = 'ABK' AND d3 <> '' THEN 3
        WHEN q4 = 'ABK' AND d4 <> '' THEN 4 END AS principal,
        CASE principal WHEN 2 THEN d2 WHEN 3 THEN d3 WHEN 4 THEN d4 ELSE d1 END AS e1,
        CASE WHEN principal >= 2 THEN d1 ELSE d2 END AS e2,
        CASE WHEN principal >= 3 THEN d2 ELSE d3 END AS e3,
        CASE WHEN principal = 4 THEN d3 ELSE d4 END AS e4,
        NOT (q1 IN ('', 'ABK', 'ABF') AND q2 IN ('', 'ABK', 'ABF') AND q3 IN ('', 'ABK', 'ABF') AND q4 IN ('', 'ABK', 'ABF')) AS odd
    FROM sets
)
SELECT d1, d2, d3, d4, q1, q2, q3, q4, concat_ws(';', e1, e2, e3, e4) AS dx_text, i1.code AS principal_diagnosis,
    list_filter([i1.code, i2.code, i3.code, i4.code], lambda c: c IS NOT NULL) AS diagnosis_codes, principal IS NULL AND NOT odd AS dx_blank,
    (e1 <> '' AND i1.code IS NULL) OR (e2 <> '' AND i2.code IS NULL) OR (e3 <> '' AND i3.code IS NULL)
        OR (e4 <> '' AND i4.code IS NULL) OR odd AS dx_unknown,
    i1.leaf = 0 OR i2.leaf = 0 OR i3.leaf = 0 OR i4.leaf = 0 AS dx_not_leaf
FROM placed
LEFT JOIN icd10cm AS i1 ON i1.bare = e1
LEFT JOIN icd10cm AS i2 ON i2.bare = e2
LEFT JOIN icd10cm AS i3 ON i3.bare = e3
LEFT JOIN icd10cm AS i4 ON i4.bare = e4;
