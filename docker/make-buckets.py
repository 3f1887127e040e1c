"""Run by LocalStack whenever it is ready: the buckets of warehouse and landing files, which a restart forgets."""

import os

import boto3

s3 = boto3.client(
    "s3",
    endpoint_url="http://localhost:4566",
    region_name=os.environ["MEDFLOW_S3_REGION"],
    aws_access_key_id=os.environ["MEDFLOW_S3_ACCESS_KEY"],
    aws_secret_access_key=os.environ["MEDFLOW_S3_SECRET_KEY"],
)
for name in ("MEDFLOW_WAREHOUSE", "MEDFLOW_LANDING"):
    bucket = os.environ[name].removeprefix("s3://").partition("/")[0]
    s3.create_bucket(Bucket=bucket)
    print(f"bucket {bucket}")
