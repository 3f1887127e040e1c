"""When the pipeline runs: Airflow's DAGs. Steps are processes of their own, tasks pass on ids and counts; no data code."""
