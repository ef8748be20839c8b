"""The ports over the Thrive API.

factory    builds the client for a tenant
api        the client: entries and summaries
auth       authorization of requests: HTTP Basic, or OAuth 2.0 client credentials
http       bounded requests and responses; HTTP failures become the exporter's errors
notice     what a response says of the API's own end
pace       how often a process calls the API, and until when
endpoints  the hosts of each environment
"""
