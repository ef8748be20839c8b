"""The ports over AWS.

client          how AWS is called: the clients' settings, AWS's errors, parallel calls
timeline        the timeline, in a DynamoDB table
timeline_items  the table's sort keys, and each record as an item
codec           records as attributes, and back
timeline_jobs   its jobs, under way and ended, and the writes that all its items share
dynamodb        one partition of a table: consistent reads, conditional writes
write_pace      keeps writes below what one partition takes
lake            the lake, in an S3 bucket
topic           the topic, in SNS
queue           the work queue, in SQS
replay_queue    the queues of single subscribers, in SQS
form            the body of SNS's calls, encoded once
batch           calls that carry several items, of which AWS may accept a part
secret          the tenant's credentials, in Secrets Manager
"""
