"""The ports over the real world. Vendor errors become the exporter's own here, and go no further.

aws     DynamoDB, S3, SNS, SQS and Secrets Manager, over boto3
thrive  the Thrive API, over HTTP
"""
