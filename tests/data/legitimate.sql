-- Questions as analysts write them. Each begins with `-- <dialects>: what is asked` and ends with `;`.
-- duckdb trino spark: claims of the release
SELECT COUNT(*) AS line_count, COUNT(DISTINCT claim_id) AS claim_count FROM healthcare.claims_clean;
-- duckdb trino spark: claims by payer
SELECT payer_id, COUNT(DISTINCT claim_id) AS claims FROM healthcare.claims_clean GROUP BY payer_id ORDER BY claims DESC;
-- duckdb trino spark: members by payer
SELECT payer_id, COUNT(DISTINCT member_key) AS members FROM healthcare.claims_clean GROUP BY payer_id;
-- duckdb trino spark: monthly totals
SELECT service_month, SUM(claim_count) AS claims, SUM(billed_amount) AS billed FROM healthcare_gold.claims_monthly_summary GROUP BY service_month ORDER BY service_month;
-- duckdb trino spark: denial rate by payer as a ratio of sums
SELECT payer_id, CAST(SUM(denied_claim_count) AS DOUBLE) / NULLIF(SUM(adjudicated_claim_count), 0) AS denial_rate FROM healthcare_gold.claims_monthly_summary GROUP BY payer_id;
-- duckdb trino spark: top ten providers by billed amount
SELECT rendering_npi, SUM(billed_amount) AS billed FROM healthcare_gold.provider_performance GROUP BY rendering_npi ORDER BY billed DESC LIMIT 10;
-- duckdb trino spark: providers with their names
SELECT p.name, p.specialty, SUM(g.claim_count) AS claims FROM healthcare_gold.provider_performance AS g JOIN healthcare.providers AS p ON p.npi = g.rendering_npi GROUP BY p.name, p.specialty ORDER BY claims DESC, p.name LIMIT 20;
-- duckdb trino spark: providers without claims
SELECT p.npi, p.name FROM healthcare.providers AS p LEFT JOIN healthcare_gold.provider_performance AS g ON g.rendering_npi = p.npi WHERE g.rendering_npi IS NULL ORDER BY p.npi;
-- duckdb trino spark: states with many providers
SELECT state, COUNT(*) AS providers FROM healthcare.providers GROUP BY state HAVING COUNT(*) >= 3 ORDER BY providers DESC, state;
-- duckdb trino spark: unknown specialties shown
SELECT COALESCE(p.specialty, 'unknown') AS specialty, COUNT(*) AS line_count FROM healthcare.claims_clean AS c LEFT JOIN healthcare.providers AS p ON p.npi = c.rendering_npi GROUP BY COALESCE(p.specialty, 'unknown');
-- duckdb trino spark: all readable columns of a table of totals
SELECT * FROM healthcare_gold.denial_reasons ORDER BY denied_amount DESC LIMIT 25;
-- duckdb trino spark: all readable columns of the lines, without the key
SELECT claim_id, line_number, procedure_code, billed_amount FROM healthcare.claims_clean WHERE claim_status = 'denied' ORDER BY billed_amount DESC, claim_id, line_number LIMIT 100;
-- duckdb trino spark: share of each payer in the month
SELECT service_month, payer_id, billed_amount, billed_amount / SUM(billed_amount) OVER (PARTITION BY service_month) AS share FROM healthcare_gold.claims_monthly_summary;
-- duckdb trino spark: running total over the months
SELECT service_month, payer_id, SUM(paid_amount) OVER (PARTITION BY payer_id ORDER BY service_month ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS paid_so_far FROM healthcare_gold.claims_monthly_summary;
-- duckdb trino spark: three-month moving average
SELECT payer_id, service_month, AVG(claim_count) OVER (PARTITION BY payer_id ORDER BY service_month ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS moving FROM healthcare_gold.claims_monthly_summary;
-- duckdb trino spark: change against the month before
SELECT payer_id, service_month, claim_count - LAG(claim_count) OVER (PARTITION BY payer_id ORDER BY service_month) AS change FROM healthcare_gold.claims_monthly_summary;
-- duckdb trino spark: best month of each payer
WITH ranked AS (SELECT payer_id, service_month, paid_amount, ROW_NUMBER() OVER (PARTITION BY payer_id ORDER BY paid_amount DESC, service_month) AS place FROM healthcare_gold.claims_monthly_summary) SELECT payer_id, service_month, paid_amount FROM ranked WHERE place = 1;
-- duckdb trino spark: denied amount by reason and payer
SELECT payer_id, denial_group, denial_code, SUM(denied_amount) AS denied FROM healthcare_gold.denial_reasons GROUP BY payer_id, denial_group, denial_code ORDER BY denied DESC LIMIT 15;
-- duckdb trino spark: funnel of one payer
SELECT stage, stage_order, SUM(claim_count) AS claims FROM healthcare_gold.claims_approval_funnel WHERE payer_id = 'aetna' GROUP BY stage, stage_order ORDER BY stage_order;
-- duckdb trino spark: paid share of the submitted
SELECT payer_id, CAST(SUM(CASE WHEN stage = 'paid' THEN claim_count ELSE 0 END) AS DOUBLE) / NULLIF(SUM(CASE WHEN stage = 'submitted' THEN claim_count ELSE 0 END), 0) AS paid_share FROM healthcare_gold.claims_approval_funnel GROUP BY payer_id;
-- duckdb trino spark: cost of two conditions side by side
SELECT condition, SUM(paid_amount) AS paid, SUM(claim_count) AS claims FROM healthcare_gold.condition_costs WHERE condition IN ('diabetes', 'hypertension') GROUP BY condition;
-- duckdb trino spark: conditions above the average
WITH totals AS (SELECT condition, SUM(paid_amount) AS paid FROM healthcare_gold.condition_costs GROUP BY condition) SELECT condition, paid FROM totals WHERE paid > (SELECT AVG(paid) FROM totals) ORDER BY paid DESC;
-- duckdb trino spark: claims a member, on average
WITH per_member AS (SELECT member_key, COUNT(DISTINCT claim_id) AS claims FROM healthcare.claims_clean GROUP BY member_key) SELECT AVG(claims) AS average_claims, MAX(claims) AS most FROM per_member;
-- duckdb trino spark: members by number of claims
SELECT claims, COUNT(*) AS members FROM (SELECT member_key, COUNT(DISTINCT claim_id) AS claims FROM healthcare.claims_clean GROUP BY member_key) AS m GROUP BY claims ORDER BY claims;
-- duckdb trino spark: members seen by more than one payer
SELECT COUNT(*) AS members FROM (SELECT member_key FROM healthcare.claims_clean GROUP BY member_key HAVING COUNT(DISTINCT payer_id) > 1) AS m;
-- duckdb trino spark: members with two conditions
WITH diabetes AS (SELECT DISTINCT member_key FROM healthcare.claims_clean WHERE principal_diagnosis LIKE 'E11%'), heart AS (SELECT DISTINCT member_key FROM healthcare.claims_clean WHERE principal_diagnosis LIKE 'I1%') SELECT COUNT(DISTINCT d.member_key) AS members FROM diabetes AS d JOIN heart AS h ON h.member_key = d.member_key;
-- duckdb trino spark: spend of members with diabetes on everything
SELECT SUM(c.paid_amount) AS paid FROM healthcare.claims_clean AS c WHERE c.member_key IN (SELECT member_key FROM healthcare.claims_clean WHERE principal_diagnosis LIKE 'E11%');
-- duckdb trino spark: members who have an emergency visit and none in an office
SELECT COUNT(DISTINCT c.member_key) AS members FROM healthcare.claims_clean AS c WHERE c.place_of_service = '23' AND NOT EXISTS (SELECT 1 FROM healthcare.claims_clean AS o WHERE o.member_key = c.member_key AND o.place_of_service = '11');
-- duckdb trino spark: billed by age band and sex
SELECT age_band, sex, SUM(billed_amount) AS billed, COUNT(DISTINCT member_key) AS members FROM healthcare.claims_clean GROUP BY age_band, sex ORDER BY age_band, sex;
-- duckdb trino spark: first quarter of a year
SELECT payer_id, SUM(billed_amount) AS billed FROM healthcare.claims_clean WHERE claim_service_date >= DATE '2026-01-01' AND claim_service_date < DATE '2026-04-01' GROUP BY payer_id;
-- duckdb trino spark: by month of service
SELECT DATE_TRUNC('month', claim_service_date) AS month, COUNT(DISTINCT claim_id) AS claims FROM healthcare.claims_clean GROUP BY DATE_TRUNC('month', claim_service_date) ORDER BY month;
-- duckdb trino spark: by year and quarter
SELECT EXTRACT(YEAR FROM claim_service_date) AS service_year, EXTRACT(QUARTER FROM claim_service_date) AS service_quarter, SUM(paid_amount) AS paid FROM healthcare.claims_clean GROUP BY EXTRACT(YEAR FROM claim_service_date), EXTRACT(QUARTER FROM claim_service_date);
-- duckdb trino spark: claims of a year by month number
SELECT MONTH(claim_service_date) AS m, COUNT(DISTINCT claim_id) AS claims FROM healthcare.claims_clean WHERE YEAR(claim_service_date) = 2025 GROUP BY MONTH(claim_service_date);
-- duckdb trino spark: pending claims that wait since long
SELECT payer_id, COUNT(DISTINCT claim_id) AS pending FROM healthcare.claims_clean WHERE claim_status = 'pending' AND received_date < DATE '2026-04-01' GROUP BY payer_id;
-- duckdb trino spark: status mix in one row a payer
SELECT payer_id, COUNT(DISTINCT CASE WHEN claim_status = 'paid' THEN claim_id END) AS paid, COUNT(DISTINCT CASE WHEN claim_status = 'denied' THEN claim_id END) AS denied, COUNT(DISTINCT CASE WHEN claim_status = 'pending' THEN claim_id END) AS pending FROM healthcare.claims_clean GROUP BY payer_id;
-- duckdb trino spark: size of claims in bands
SELECT CASE WHEN billed < 100 THEN 'under 100' WHEN billed < 1000 THEN '100 to 999' ELSE '1000 and more' END AS band, COUNT(*) AS claims FROM (SELECT payer_id, claim_id, SUM(billed_amount) AS billed FROM healthcare.claims_clean GROUP BY payer_id, claim_id) AS c GROUP BY CASE WHEN billed < 100 THEN 'under 100' WHEN billed < 1000 THEN '100 to 999' ELSE '1000 and more' END;
-- duckdb trino spark: two periods under each other
SELECT 'first half' AS period, SUM(billed_amount) AS billed FROM healthcare_gold.claims_monthly_summary WHERE service_month BETWEEN DATE '2025-01-01' AND DATE '2025-06-30' UNION ALL SELECT 'second half' AS period, SUM(billed_amount) AS billed FROM healthcare_gold.claims_monthly_summary WHERE service_month BETWEEN DATE '2025-07-01' AND DATE '2025-12-31';
-- duckdb trino spark: payers of either kind
SELECT payer_id FROM healthcare_gold.claims_monthly_summary WHERE denial_rate > 0.2 UNION SELECT payer_id FROM healthcare_gold.denial_reasons WHERE denial_group = 'PR' ORDER BY payer_id;
-- duckdb trino spark: billing providers that treat too
SELECT billing_npi FROM healthcare.claims_clean WHERE billing_npi IS NOT NULL INTERSECT SELECT rendering_npi FROM healthcare.claims_clean;
-- duckdb trino spark: listed providers that treated nobody
SELECT npi FROM healthcare.providers EXCEPT SELECT rendering_npi FROM healthcare.claims_clean;
-- duckdb trino spark: lines above the average of their procedure
WITH average AS (SELECT procedure_code, AVG(billed_amount) AS mean_billed FROM healthcare.claims_clean GROUP BY procedure_code) SELECT COUNT(*) AS line_count FROM healthcare.claims_clean AS c JOIN average AS a ON a.procedure_code = c.procedure_code WHERE c.billed_amount > 2 * a.mean_billed;
-- duckdb trino spark: percentile rank of providers
SELECT rendering_npi, denial_rate, PERCENT_RANK() OVER (ORDER BY denial_rate) AS place FROM healthcare_gold.provider_performance WHERE is_ranked AND denial_rate IS NOT NULL;
-- duckdb trino spark: quartiles of providers
SELECT quartile, MIN(paid_amount) AS low, MAX(paid_amount) AS high FROM (SELECT paid_amount, NTILE(4) OVER (ORDER BY paid_amount) AS quartile FROM healthcare_gold.provider_performance) AS q GROUP BY quartile ORDER BY quartile;
-- duckdb trino spark: ranks with ties
SELECT payer_id, denial_code, RANK() OVER (PARTITION BY payer_id ORDER BY SUM(claim_count) DESC) AS place, SUM(claim_count) AS claims FROM healthcare_gold.denial_reasons GROUP BY payer_id, denial_code;
-- duckdb trino spark: first and last month of each payer
SELECT payer_id, MIN(service_month) AS first_month, MAX(service_month) AS last_month, COUNT(*) AS months FROM healthcare_gold.claims_monthly_summary GROUP BY payer_id;
-- duckdb trino spark: payer with the greatest denial rate
SELECT payer_id, MAX(denial_rate) AS worst, MIN(denial_rate) AS best, AVG(denial_rate) AS plain_mean FROM healthcare_gold.claims_monthly_summary GROUP BY payer_id;
-- duckdb trino spark: greatest of two amounts
SELECT service_month, payer_id, GREATEST(allowed_amount, paid_amount) AS greater, LEAST(allowed_amount, paid_amount) AS lesser FROM healthcare_gold.claims_monthly_summary;
-- duckdb trino spark: what members owe
SELECT payer_id, ROUND(SUM(COALESCE(deductible_amount, 0) + COALESCE(coinsurance_amount, 0) + COALESCE(copay_amount, 0)), 2) AS owed FROM healthcare.claims_clean GROUP BY payer_id;
-- duckdb trino spark: diagnosis chapters
SELECT SUBSTRING(principal_diagnosis, 1, 3) AS category, COUNT(*) AS line_count FROM healthcare.claims_clean GROUP BY SUBSTRING(principal_diagnosis, 1, 3) ORDER BY line_count DESC LIMIT 10;
-- duckdb trino spark: denial code with its group
SELECT CONCAT(denial_group, '-', denial_code) AS code, SUM(claim_count) AS claims FROM healthcare_gold.denial_reasons GROUP BY CONCAT(denial_group, '-', denial_code) ORDER BY claims DESC LIMIT 5;
-- duckdb trino spark: codes in capitals
SELECT UPPER(payer_id) AS payer, LOWER(sex) AS sex, LENGTH(TRIM(plan_code)) AS plan_length, COUNT(*) AS n FROM healthcare.claims_clean GROUP BY UPPER(payer_id), LOWER(sex), LENGTH(TRIM(plan_code));
-- duckdb trino spark: plans by length of stay
SELECT plan_code, SUM(units) AS units, COUNT(*) AS n FROM healthcare.claims_clean WHERE units BETWEEN 2 AND 10 AND plan_code IS NOT NULL GROUP BY plan_code ORDER BY n DESC;
-- duckdb trino spark: variance of the billed amount
SELECT payer_id, STDDEV(CAST(billed_amount AS DOUBLE)) AS deviation, VAR_POP(CAST(billed_amount AS DOUBLE)) AS variance FROM healthcare.claims_clean GROUP BY payer_id;
-- duckdb trino spark: billed against paid
SELECT CORR(CAST(billed_amount AS DOUBLE), CAST(paid_amount AS DOUBLE)) AS r FROM healthcare.claims_clean WHERE claim_status = 'paid';
-- duckdb trino spark: log of the amounts
SELECT payer_id, EXP(AVG(LN(CAST(billed_amount AS DOUBLE)))) AS geometric FROM healthcare.claims_clean WHERE billed_amount > 0 GROUP BY payer_id;
-- duckdb trino spark: filtered aggregates
SELECT payer_id, SUM(paid_amount) FILTER (WHERE sex = 'F') AS paid_women, SUM(paid_amount) FILTER (WHERE sex = 'M') AS paid_men FROM healthcare.claims_clean GROUP BY payer_id;
-- duckdb trino spark: providers above their specialty
WITH totals AS (SELECT g.rendering_npi, p.specialty, SUM(g.paid_amount) AS paid FROM healthcare_gold.provider_performance AS g JOIN healthcare.providers AS p ON p.npi = g.rendering_npi GROUP BY g.rendering_npi, p.specialty), means AS (SELECT specialty, AVG(paid) AS mean_paid FROM totals GROUP BY specialty) SELECT t.rendering_npi, t.specialty, t.paid - m.mean_paid AS above FROM totals AS t JOIN means AS m ON m.specialty = t.specialty WHERE t.paid > m.mean_paid ORDER BY above DESC LIMIT 10;
-- duckdb trino spark: by state and payer
SELECT p.state, c.payer_id, COUNT(DISTINCT c.claim_id) AS claims, SUM(c.allowed_amount) AS allowed FROM healthcare.claims_clean AS c INNER JOIN healthcare.providers AS p ON p.npi = c.rendering_npi WHERE p.state IN ('CA', 'NY', 'TX') GROUP BY p.state, c.payer_id;
-- duckdb trino spark: yearly totals of a provider
SELECT service_year, SUM(claim_count) AS claims, SUM(denied_claim_count) AS denied FROM healthcare_gold.provider_performance WHERE rendering_npi = '1003000126' GROUP BY service_year ORDER BY service_year;
-- duckdb trino spark: wide shares by a single-row total
SELECT m.payer_id, SUM(m.billed_amount) / MAX(t.billed) AS share FROM healthcare_gold.claims_monthly_summary AS m CROSS JOIN (SELECT SUM(billed_amount) AS billed FROM healthcare_gold.claims_monthly_summary) AS t GROUP BY m.payer_id;
-- duckdb trino spark: lines that carry warnings
SELECT payer_id, SUM(CASE WHEN claim_version > 1 THEN 1 ELSE 0 END) AS adjusted, COUNT(*) AS line_count FROM healthcare.claims_clean GROUP BY payer_id;
-- duckdb trino spark: second page of a list
SELECT npi, name, specialty FROM healthcare.providers WHERE specialty LIKE '%Medicine%' AND NOT name LIKE 'A%' ORDER BY name, npi OFFSET 10 ROWS;
-- duckdb trino spark: members in several plans
SELECT COUNT(*) AS members FROM (SELECT payer_id, member_key, COUNT(DISTINCT plan_code) AS plans FROM healthcare.claims_clean GROUP BY payer_id, member_key) AS m WHERE plans >= 2;
-- duckdb trino spark: money by group with subtotals
SELECT payer_id, claim_status, SUM(billed_amount) AS billed FROM healthcare.claims_clean GROUP BY ROLLUP (payer_id, claim_status);
-- duckdb trino spark: not the same plan
SELECT COUNT(*) AS n FROM healthcare.claims_clean WHERE billing_npi IS DISTINCT FROM rendering_npi;
-- duckdb trino spark: a label with spaces and signs
SELECT payer_id AS Payer, ROUND(100 * CAST(SUM(denied_claim_count) AS DOUBLE) / NULLIF(SUM(adjudicated_claim_count), 0), 1) AS denial_rate_pct FROM healthcare_gold.claims_monthly_summary GROUP BY payer_id ORDER BY denial_rate_pct DESC NULLS LAST;
-- duckdb trino spark: latest month against the one before
WITH months AS (SELECT service_month, SUM(claim_count) AS claims FROM healthcare_gold.claims_monthly_summary GROUP BY service_month), paired AS (SELECT service_month, claims, LAG(claims, 1) OVER (ORDER BY service_month) AS before FROM months) SELECT service_month, claims, before, CAST(claims - before AS DOUBLE) / NULLIF(before, 0) AS change FROM paired ORDER BY service_month DESC LIMIT 1;
-- duckdb trino spark: denial reasons that came up only once a month
SELECT d.denial_code, COUNT(*) AS months FROM healthcare_gold.denial_reasons AS d WHERE d.claim_count = 1 GROUP BY d.denial_code ORDER BY months DESC, d.denial_code LIMIT 10;
-- duckdb trino spark: text with signs that mean something elsewhere
SELECT COUNT(*) AS n FROM healthcare.providers WHERE name = 'Müller; DROP @home? $1 -- :p';
-- duckdb trino: text with a quote
SELECT COUNT(*) AS n FROM healthcare.providers WHERE name = 'O''Neil';
-- spark: text with a quote
SELECT COUNT(*) AS n FROM healthcare.providers WHERE name = "O'Neil" OR name = 'D\'Arcy';
-- duckdb: exact quantiles
SELECT payer_id, QUANTILE_CONT(billed_amount, 0.9) AS p90, QUANTILE_DISC(billed_amount, 0.5) AS middle FROM healthcare.claims_clean GROUP BY payer_id;
-- duckdb: median days to adjudicate
SELECT payer_id, MEDIAN(DATE_DIFF('day', received_date, adjudicated_date)) AS days FROM healthcare.claims_clean WHERE adjudicated_date IS NOT NULL GROUP BY payer_id;
-- duckdb: plain names of tables
SELECT p.specialty, COUNT(*) AS n FROM claims_clean c JOIN providers p ON p.npi = c.rendering_npi GROUP BY 1 ORDER BY 2 DESC LIMIT 5;
-- duckdb: qualify picks the top of each group
SELECT payer_id, denial_code, denied_amount FROM denial_reasons QUALIFY ROW_NUMBER() OVER (PARTITION BY payer_id ORDER BY denied_amount DESC) <= 3;
-- duckdb: short casts
SELECT payer_id, (SUM(denied_claim_count)::DOUBLE / SUM(adjudicated_claim_count))::DECIMAL(6, 4) AS rate FROM claims_monthly_summary GROUP BY payer_id;
-- duckdb: month as text
SELECT STRFTIME(service_month, '%Y-%m') AS month, SUM(claim_count) AS claims FROM claims_monthly_summary GROUP BY 1 ORDER BY 1;
-- duckdb: claims on weekends
SELECT DAYNAME(service_from) AS day, COUNT(*) AS n FROM claims_clean WHERE ISODOW(service_from) IN (6, 7) GROUP BY DAYNAME(service_from);
-- duckdb: lines with a second diagnosis
SELECT COUNT(*) AS n FROM claims_clean WHERE LEN(diagnosis_codes) > 1 AND LIST_CONTAINS(diagnosis_codes, 'I10');
-- duckdb: second diagnosis by name
SELECT diagnosis_codes[2] AS second, COUNT(*) AS n FROM claims_clean GROUP BY diagnosis_codes[2] ORDER BY n DESC LIMIT 10;
-- duckdb: count_if and arg_max
SELECT payer_id, COUNT_IF(denial_rate > 0.1) AS months, ARG_MAX(service_month, denial_rate) AS worst_month FROM claims_monthly_summary GROUP BY payer_id;
-- duckdb: max_by under its other name
SELECT payer_id, MAX_BY(service_month, paid_amount) AS best FROM claims_monthly_summary GROUP BY payer_id;
-- duckdb: dates moved by intervals
SELECT COUNT(*) AS n FROM claims_clean WHERE received_date > service_from + INTERVAL 30 DAY AND received_date <= service_from + INTERVAL '3' MONTH;
-- duckdb: last day of the month
SELECT LAST_DAY(service_month) AS month_end, SUM(paid_amount) AS paid FROM claims_monthly_summary GROUP BY LAST_DAY(service_month) ORDER BY month_end;
-- duckdb: ilike and starts_with
SELECT npi, name FROM providers WHERE name ILIKE '%smith%' OR STARTS_WITH(specialty, 'Card') ORDER BY name;
-- duckdb: whole division and remainder
SELECT units // 2 AS pairs, units % 2 AS odd, COUNT(*) AS n FROM claims_clean GROUP BY units // 2, units % 2;
-- duckdb: powers
SELECT payer_id, SQRT(SUM(POWER(CAST(billed_amount AS DOUBLE), 2))) AS norm FROM claims_clean GROUP BY payer_id;
-- duckdb: mode and any value
SELECT payer_id, MODE(place_of_service) AS usual_place, ANY_VALUE(plan_code) AS a_plan FROM claims_clean GROUP BY payer_id;
-- duckdb: skew of amounts
SELECT payer_id, SKEWNESS(CAST(billed_amount AS DOUBLE)) AS skew, KURTOSIS(CAST(billed_amount AS DOUBLE)) AS kurt FROM claims_clean GROUP BY payer_id;
-- duckdb: tuple in list
SELECT COUNT(*) AS n FROM claims_clean WHERE (payer_id, claim_status) IN (('aetna', 'denied'), ('bluecross', 'paid'));
-- duckdb: alias used again
SELECT payer_id, SUM(billed_amount) AS billed, SUM(paid_amount) AS paid, paid / billed AS ratio FROM claims_monthly_summary GROUP BY payer_id;
-- duckdb: alias in having
SELECT payer_id, SUM(claim_count) AS claims FROM claims_monthly_summary GROUP BY payer_id HAVING claims > 10;
-- duckdb: using
SELECT payer_id, service_month, m.claim_count, d.denied_amount FROM claims_monthly_summary m JOIN denial_reasons d USING (payer_id, service_month) WHERE d.denial_group = 'CO';
-- duckdb: member key through using
WITH first_half AS (SELECT member_key FROM claims_clean WHERE service_from < DATE '2026-01-01' GROUP BY member_key), second_half AS (SELECT member_key FROM claims_clean WHERE service_from >= DATE '2026-01-01' GROUP BY member_key) SELECT COUNT(*) AS stayed FROM first_half JOIN second_half USING (member_key);
-- duckdb: try_cast
SELECT SUM(TRY_CAST(place_of_service AS INTEGER)) AS s FROM claims_clean;
-- duckdb: semi join
SELECT COUNT(*) AS n FROM providers p SEMI JOIN claims_clean c ON c.rendering_npi = p.npi;
-- duckdb: anti join
SELECT p.npi FROM providers p ANTI JOIN claims_clean c ON c.rendering_npi = p.npi ORDER BY p.npi LIMIT 10;
-- duckdb: grouping sets
SELECT payer_id, sex, COUNT(*) AS n FROM claims_clean GROUP BY GROUPING SETS ((payer_id), (sex), ());
-- duckdb: cube
SELECT payer_id, sex, SUM(paid_amount) AS paid FROM claims_clean GROUP BY CUBE (payer_id, sex);
-- duckdb: splitting a code
SELECT SPLIT_PART(principal_diagnosis, '.', 1) AS category, COUNT(*) AS n FROM claims_clean GROUP BY SPLIT_PART(principal_diagnosis, '.', 1) ORDER BY n DESC LIMIT 10;
-- duckdb: nested brackets and comments
SELECT /* money */ payer_id, -- the payer
  ((SUM(paid_amount) + 0) * (1)) AS paid FROM claims_clean WHERE ((claim_status = 'paid') OR (claim_status = 'reversed')) GROUP BY payer_id;
-- duckdb: weeks
SELECT DATE_TRUNC('week', received_date) AS week, WEEKOFYEAR(received_date) AS number, COUNT(*) AS n FROM claims_clean GROUP BY 1, 2 ORDER BY 1;
-- duckdb: last value in a window
SELECT payer_id, service_month, LAST_VALUE(paid_amount) OVER (PARTITION BY payer_id ORDER BY service_month ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS latest FROM claims_monthly_summary;
-- duckdb: difference in parts of a date
SELECT AVG(DATE_DIFF('month', service_from, paid_date)) AS months FROM claims_clean WHERE paid_date IS NOT NULL;
-- trino: approximate quantiles
SELECT payer_id, APPROX_PERCENTILE(billed_amount, 0.9) AS p90 FROM healthcare.claims_clean GROUP BY payer_id;
-- trino: approximate distinct claims
SELECT payer_id, APPROX_DISTINCT(claim_id) AS claims FROM claims_clean GROUP BY payer_id;
-- trino: plain names of tables
SELECT p.specialty, COUNT(*) AS n FROM claims_clean c JOIN providers p ON p.npi = c.rendering_npi GROUP BY 1 ORDER BY 2 DESC LIMIT 5;
-- trino: days between dates
SELECT payer_id, AVG(DATE_DIFF('day', received_date, adjudicated_date)) AS days FROM claims_clean WHERE adjudicated_date IS NOT NULL GROUP BY payer_id;
-- trino: dates moved
SELECT COUNT(*) AS n FROM claims_clean WHERE received_date > DATE_ADD('day', 30, service_from);
-- trino: interval literal
SELECT COUNT(*) AS n FROM claims_clean WHERE received_date > service_from + INTERVAL '30' DAY;
-- trino: month as text
SELECT DATE_FORMAT(service_month, '%Y-%m') AS month, SUM(claim_count) AS claims FROM claims_monthly_summary GROUP BY DATE_FORMAT(service_month, '%Y-%m');
-- trino: last day of the month
SELECT LAST_DAY_OF_MONTH(service_month) AS month_end, SUM(paid_amount) AS paid FROM claims_monthly_summary GROUP BY LAST_DAY_OF_MONTH(service_month);
-- trino: weekends
SELECT DAY_OF_WEEK(service_from) AS day, COUNT(*) AS n FROM claims_clean WHERE DAY_OF_WEEK(service_from) IN (6, 7) GROUP BY DAY_OF_WEEK(service_from);
-- trino: weeks
SELECT YEAR_OF_WEEK(received_date) AS y, WEEK(received_date) AS w, COUNT(*) AS n FROM claims_clean GROUP BY YEAR_OF_WEEK(received_date), WEEK(received_date);
-- trino: if and try_cast
SELECT payer_id, SUM(IF(claim_status = 'denied', 1, 0)) AS denied, SUM(TRY_CAST(place_of_service AS BIGINT)) AS s FROM claims_clean GROUP BY payer_id;
-- trino: max_by and min_by
SELECT payer_id, MAX_BY(service_month, denial_rate) AS worst, MIN_BY(service_month, denial_rate) AS best FROM claims_monthly_summary GROUP BY payer_id;
-- trino: arbitrary
SELECT payer_id, ARBITRARY(plan_code) AS a_plan FROM claims_clean GROUP BY payer_id;
-- trino: arrays
SELECT COUNT(*) AS n FROM claims_clean WHERE CARDINALITY(diagnosis_codes) > 1 AND CONTAINS(diagnosis_codes, 'I10');
-- trino: element of an array
SELECT ELEMENT_AT(diagnosis_codes, 2) AS second, COUNT(*) AS n FROM claims_clean GROUP BY ELEMENT_AT(diagnosis_codes, 2) ORDER BY n DESC LIMIT 10;
-- trino: count_if
SELECT payer_id, COUNT_IF(denial_rate > 0.1) AS months FROM claims_monthly_summary GROUP BY payer_id;
-- trino: boolean aggregates
SELECT payer_id, BOOL_OR(denial_rate > 0.5) AS some_bad, BOOL_AND(claim_count > 0) AS all_filled FROM claims_monthly_summary GROUP BY payer_id;
-- trino: substr and strpos
SELECT SUBSTR(principal_diagnosis, 1, 1) AS chapter, COUNT(*) AS n FROM claims_clean WHERE STRPOS(principal_diagnosis, '.') > 0 GROUP BY SUBSTR(principal_diagnosis, 1, 1);
-- trino: powers and logs
SELECT payer_id, SQRT(SUM(POWER(CAST(billed_amount AS DOUBLE), 2))) AS norm, AVG(LOG10(CAST(billed_amount AS DOUBLE))) AS l FROM claims_clean WHERE billed_amount > 0 GROUP BY payer_id;
-- trino: rounded
SELECT payer_id, ROUND(AVG(billed_amount), 2) AS mean_billed, CEILING(MAX(billed_amount)) AS top, FLOOR(MIN(billed_amount)) AS low, ABS(SUM(paid_amount) - SUM(allowed_amount)) AS gap FROM claims_clean GROUP BY payer_id;
-- trino: grouping sets
SELECT payer_id, sex, COUNT(*) AS n FROM claims_clean GROUP BY GROUPING SETS ((payer_id), (sex), ());
-- trino: cube
SELECT payer_id, sex, SUM(paid_amount) AS paid FROM claims_clean GROUP BY CUBE (payer_id, sex);
-- trino: using
SELECT payer_id, service_month, m.claim_count, d.denied_amount FROM claims_monthly_summary m JOIN denial_reasons d USING (payer_id, service_month) WHERE d.denial_group = 'CO';
-- trino: splitting a code
SELECT SPLIT_PART(principal_diagnosis, '.', 1) AS category, COUNT(*) AS n FROM claims_clean GROUP BY SPLIT_PART(principal_diagnosis, '.', 1);
-- trino: range of dates by unbounded window
SELECT payer_id, service_month, SUM(claim_count) OVER (PARTITION BY payer_id ORDER BY service_month RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS so_far FROM claims_monthly_summary;
-- trino: first value
SELECT payer_id, service_month, FIRST_VALUE(paid_amount) OVER (PARTITION BY payer_id ORDER BY service_month) AS first_paid, NTH_VALUE(paid_amount, 2) OVER (PARTITION BY payer_id ORDER BY service_month) AS second_paid FROM claims_monthly_summary;
-- trino: dense ranks
SELECT denial_code, DENSE_RANK() OVER (ORDER BY SUM(denied_amount) DESC) AS place FROM denial_reasons GROUP BY denial_code;
-- trino: exact median by ranks
WITH ranked AS (SELECT billed_amount, ROW_NUMBER() OVER (ORDER BY billed_amount) AS place, COUNT(*) OVER () AS n FROM claims_clean) SELECT AVG(billed_amount) AS median_billed FROM ranked WHERE place BETWEEN n / 2.0 AND n / 2.0 + 1;
-- trino: varchar casts
SELECT CAST(EXTRACT(YEAR FROM service_month) AS VARCHAR) || '-' || payer_id AS label, SUM(claim_count) AS claims FROM claims_monthly_summary GROUP BY CAST(EXTRACT(YEAR FROM service_month) AS VARCHAR) || '-' || payer_id;
-- trino: timestamps
SELECT COUNT(*) AS n FROM claims_clean WHERE CAST(service_from AS TIMESTAMP) >= TIMESTAMP '2026-01-01 00:00:00';
-- trino: replace and reverse
SELECT REPLACE(denial_code, 'A', 'a') AS code, COUNT(*) AS n FROM claims_clean WHERE denial_code IS NOT NULL GROUP BY REPLACE(denial_code, 'A', 'a');
-- trino: concat_ws
SELECT CONCAT_WS('-', denial_group, denial_code) AS code, SUM(claim_count) AS claims FROM denial_reasons GROUP BY CONCAT_WS('-', denial_group, denial_code);
-- trino: nullif and coalesce
SELECT COALESCE(NULLIF(plan_code, ''), 'none') AS plan, COUNT(*) AS n FROM claims_clean GROUP BY COALESCE(NULLIF(plan_code, ''), 'none');
-- trino: correlated count
SELECT p.npi, (SELECT COUNT(*) FROM claims_clean AS c WHERE c.rendering_npi = p.npi) AS line_count FROM providers AS p ORDER BY line_count DESC LIMIT 10;
-- trino: exists
SELECT COUNT(*) AS n FROM providers p WHERE EXISTS (SELECT 1 FROM claims_clean c WHERE c.rendering_npi = p.npi AND c.claim_status = 'denied');
-- spark: exact percentile
SELECT payer_id, PERCENTILE(billed_amount, 0.9) AS p90, MEDIAN(billed_amount) AS middle FROM healthcare.claims_clean GROUP BY payer_id;
-- spark: approximate percentile
SELECT payer_id, PERCENTILE_APPROX(billed_amount, 0.5) AS middle FROM claims_clean GROUP BY payer_id;
-- spark: plain names of tables
SELECT p.specialty, COUNT(*) AS n FROM claims_clean c JOIN providers p ON p.npi = c.rendering_npi GROUP BY 1 ORDER BY 2 DESC LIMIT 5;
-- spark: days between dates
SELECT payer_id, AVG(DATEDIFF(adjudicated_date, received_date)) AS days FROM claims_clean WHERE adjudicated_date IS NOT NULL GROUP BY payer_id;
-- spark: dates moved
SELECT COUNT(*) AS n FROM claims_clean WHERE received_date > DATE_ADD(service_from, 30) AND received_date <= ADD_MONTHS(service_from, 3);
-- spark: interval
SELECT COUNT(*) AS n FROM claims_clean WHERE received_date > service_from + INTERVAL 30 DAY;
-- spark: month as text
SELECT DATE_FORMAT(service_month, 'yyyy-MM') AS month, SUM(claim_count) AS claims FROM claims_monthly_summary GROUP BY DATE_FORMAT(service_month, 'yyyy-MM');
-- spark: truncated dates
SELECT TRUNC(received_date, 'MM') AS month, COUNT(*) AS n FROM claims_clean GROUP BY TRUNC(received_date, 'MM');
-- spark: last day of the month
SELECT LAST_DAY(service_month) AS month_end, SUM(paid_amount) AS paid FROM claims_monthly_summary GROUP BY LAST_DAY(service_month);
-- spark: weekends
SELECT DAYOFWEEK(service_from) AS day, COUNT(*) AS n FROM claims_clean WHERE DAYOFWEEK(service_from) IN (1, 7) GROUP BY DAYOFWEEK(service_from);
-- spark: weeks
SELECT WEEKOFYEAR(received_date) AS w, COUNT(*) AS n FROM claims_clean GROUP BY WEEKOFYEAR(received_date);
-- spark: if and nvl
SELECT payer_id, SUM(IF(claim_status = 'denied', 1, 0)) AS denied, SUM(NVL(paid_amount, 0)) AS paid FROM claims_clean GROUP BY payer_id;
-- spark: max_by and min_by
SELECT payer_id, MAX_BY(service_month, denial_rate) AS worst, MIN_BY(service_month, denial_rate) AS best FROM claims_monthly_summary GROUP BY payer_id;
-- spark: backquotes
SELECT `payer_id`, COUNT(*) AS `n` FROM `healthcare`.`claims_clean` GROUP BY `payer_id`;
-- spark: arrays
SELECT COUNT(*) AS n FROM claims_clean WHERE SIZE(diagnosis_codes) > 1 AND ARRAY_CONTAINS(diagnosis_codes, 'I10');
-- spark: element of an array
SELECT ELEMENT_AT(diagnosis_codes, 1) AS first, COUNT(*) AS n FROM claims_clean GROUP BY ELEMENT_AT(diagnosis_codes, 1) ORDER BY n DESC LIMIT 10;
-- spark: count_if
SELECT payer_id, COUNT_IF(denial_rate > 0.1) AS months FROM claims_monthly_summary GROUP BY payer_id;
-- spark: boolean aggregates
SELECT payer_id, BOOL_OR(denial_rate > 0.5) AS some_bad, BOOL_AND(claim_count > 0) AS all_filled FROM claims_monthly_summary GROUP BY payer_id;
-- spark: try_divide
SELECT payer_id, TRY_DIVIDE(SUM(denied_claim_count), SUM(adjudicated_claim_count)) AS rate FROM claims_monthly_summary GROUP BY payer_id;
-- spark: cast and try_cast
SELECT SUM(TRY_CAST(place_of_service AS INT)) AS s, SUM(CAST(units AS BIGINT)) AS u FROM claims_clean;
-- spark: null-safe equality
SELECT COUNT(*) AS n FROM claims_clean WHERE billing_npi <=> rendering_npi;
-- spark: left and right
SELECT LEFT(principal_diagnosis, 3) AS category, COUNT(*) AS n FROM claims_clean WHERE RIGHT(principal_diagnosis, 1) = '9' GROUP BY LEFT(principal_diagnosis, 3);
-- spark: whole division
SELECT units DIV 2 AS pairs, units % 2 AS odd, COUNT(*) AS n FROM claims_clean GROUP BY units DIV 2, units % 2;
-- spark: semi join
SELECT COUNT(*) AS n FROM providers p LEFT SEMI JOIN claims_clean c ON c.rendering_npi = p.npi;
-- spark: anti join
SELECT p.npi FROM providers p LEFT ANTI JOIN claims_clean c ON c.rendering_npi = p.npi ORDER BY p.npi LIMIT 10;
-- spark: using
SELECT payer_id, service_month, m.claim_count, d.denied_amount FROM claims_monthly_summary m JOIN denial_reasons d USING (payer_id, service_month) WHERE d.denial_group = 'CO';
-- spark: grouping sets
SELECT payer_id, sex, COUNT(*) AS n FROM claims_clean GROUP BY GROUPING SETS ((payer_id), (sex), ());
-- spark: cube
SELECT payer_id, sex, SUM(paid_amount) AS paid FROM claims_clean GROUP BY CUBE (payer_id, sex);
-- spark: literal suffixes
SELECT payer_id, SUM(paid_amount) * 1.05D AS raised, COUNT(*) + 0L AS n FROM claims_clean GROUP BY payer_id;
-- spark: text functions
SELECT CONCAT_WS('-', denial_group, denial_code) AS code, INSTR(denial_code, '9') AS place, COUNT(*) AS n FROM claims_clean WHERE denial_code IS NOT NULL GROUP BY CONCAT_WS('-', denial_group, denial_code), INSTR(denial_code, '9');
-- spark: windows with a frame
SELECT payer_id, service_month, AVG(paid_amount) OVER (PARTITION BY payer_id ORDER BY service_month ROWS BETWEEN 5 PRECEDING AND CURRENT ROW) AS half_year FROM claims_monthly_summary;
