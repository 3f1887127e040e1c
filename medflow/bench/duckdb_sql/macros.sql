-- How cells are read: NULL where the text has not the payer's shape.
CREATE MACRO whole(t) AS CASE WHEN regexp_full_match(t, '-?[0-9]{1,9}') THEN TRY_CAST(t AS INTEGER) END;
CREATE MACRO sequence(t) AS CASE WHEN regexp_full_match(t, '[0-9]{1,6}') THEN lpad(t, 6, '0') END;
CREATE MACRO iso_day(t) AS CASE WHEN t LIKE '____-__-__' THEN TRY_CAST(t AS DATE) END;
CREATE MACRO us_day(t) AS CASE WHEN strlen(t) = 10 THEN CAST(try_strptime(t, '%m/%d/%Y') AS DATE) END;
CREATE MACRO compact_day(t) AS CASE WHEN strlen(t) = 8 THEN CAST(try_strptime(t, '%Y%m%d') AS DATE) END;
CREATE MACRO dollars(t) AS CASE WHEN t LIKE '%.__' THEN TRY_CAST(t AS DECIMAL(12, 2)) END;
CREATE MACRO us_dollars(t) AS CASE
    WHEN t LIKE '$$%.__' THEN TRY_CAST(replace(t[2:], ',', '') AS DECIMAL(12, 2))
    WHEN t LIKE '(%.__)' THEN -TRY_CAST(translate(t, '($$,)', '') AS DECIMAL(12, 2))
    WHEN t LIKE '%.__' THEN TRY_CAST(replace(t, ',', '') AS DECIMAL(12, 2)) END;
CREATE MACRO hundredths(t) AS CAST(CAST(TRY_CAST(t AS BIGINT) AS DECIMAL(14, 0)) * 0.01 AS DECIMAL(12, 2));
CREATE MACRO cents(t) AS CASE
    WHEN regexp_full_match(t, '[0-9]{1,12}') THEN hundredths(t)
    WHEN regexp_full_match(t, '[0-9]{1,12}-') THEN -hundredths(t[:-2]) END;
CREATE MACRO unpadded(t) AS CASE WHEN regexp_full_match(t, '00[0-9]{10}') THEN t[3:] END;
CREATE MACRO filled(a, b) AS CASE
    WHEN b <> '' AND a <> '' THEN [a, b] WHEN a <> '' THEN [a] WHEN b <> '' THEN [b] ELSE CAST([] AS VARCHAR[]) END;

-- The check digit of a National Provider Identifier, two digits at a time: the first of each pair counts double.
CREATE MACRO pair_sum(p) AS p - 8 * (p // 10) - 9 * (p // 50);
CREATE MACRO luhn(n) AS (24 + pair_sum(n % 100) + pair_sum(n // 100 % 100) + pair_sum(n // 10000 % 100)
    + pair_sum(n // 1000000 % 100) + pair_sum(n // 100000000)) % 10 = 0;
