"""The ports over the real world. Vendor errors become the exporter's own here, and go no further.

aws           how AWS is called: the clients' settings, errors, parallel calls
batch         calls for several things at once, of which AWS may take a part
dynamodb      the timeline
items         what its items look like in the table
partition     a tenant's part of the table: consistent reads, conditional writes
s3            the lake
sns           the topic
sqs           the queue
subscriber    the queues of single subscribers
environments  where the API is, and how it may be signed in to
credentials   the tenant's secret, out of Secrets Manager
http          requests and responses, bounded; HTTP failures as the exporter's own errors
access        signing requests: Basic, or OAuth 2.0 client credentials
thrive        the API that is exported
"""
