-- What each list of diagnoses in the file comes to, once a list.
CREATE TEMP TABLE dx AS
WITH lists AS (SELECT DISTINCT "Diagnosis Codes" AS dx_text FROM ($cells)),
listed AS (
    SELECT dx_text, unnest(list_filter(string_split(dx_text, ';'), lambda d: d <> '')) AS d, generate_subscripts(string_split(dx_text, ';'), 1) AS place
    FROM lists
)
SELECT lists.dx_text, first(code ORDER BY place) AS principal_diagnosis, list(code ORDER BY place) FILTER (code IS NOT NULL) AS diagnosis_codes,
    count(d) = 0 AS dx_blank, COALESCE(bool_or(code IS NULL AND d IS NOT NULL), FALSE) AS dx_unknown, COALESCE(bool_or(leaf = 0), FALSE) AS dx_not_leaf
FROM lists LEFT JOIN listed ON listed.dx_text = lists.dx_text LEFT JOIN icd10cm ON bare = d
GROUP BY lists.dx_text;
