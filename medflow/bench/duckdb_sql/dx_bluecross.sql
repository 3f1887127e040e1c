-- What each set of diagnoses in the file comes to, once a set.
CREATE TEMP TABLE dx AS
WITH sets AS (SELECT DISTINCT DX_1 AS d1, DX_2 AS d2, DX_3 AS d3, DX_4 AS d4 FROM ($cells))
SELECT d1, d2, d3, d4, concat_ws(';', d1, d2, d3, d4) AS dx_text, i1.code AS principal_diagnosis,
    list_filter([i1.code, i2.code, i3.code, i4.code], lambda c: c IS NOT NULL) AS diagnosis_codes, d1 = '' AS dx_blank,
    (d1 <> '' AND i1.code IS NULL) OR (d2 <> '' AND i2.code IS NULL) OR (d3 <> '' AND i3.code IS NULL)
        OR (d4 <> '' AND i4.code IS NULL) AS dx_unknown,
    i1.leaf = 0 OR i2.leaf = 0 OR i3.leaf = 0 OR i4.leaf = 0 AS dx_not_leaf
FROM sets
LEFT JOIN icd10cm AS i1 ON i1.bare = replace(d1, '.', '')
LEFT JOIN icd10cm AS i2 ON i2.bare = replace(d2, '.', '')
LEFT JOIN icd10cm AS i3 ON i3.bare = replace(d3, '.', '')
LEFT JOIN icd10cm AS i4 ON i4.bare = replace(d4, '.', '');
