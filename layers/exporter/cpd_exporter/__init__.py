"""The exporter: brings CPD log entries from Thrive to S3 and SNS, completely and continuously.

The route of an entry: a tick of ``planner`` → ``planner.page_planner`` slices time into pages by
counts from ``source`` → the timeline → ``dispatch`` → the work queue → ``worker`` reads a page
through ``source``, stores its rows in the lake, and publishes them. Imports point down this list;
the four in the middle do not import each other:

    bootstrap   builds planner and worker once per cold start

    planner     a command in; pages, sweeps and jobs sent; the watermark moved
    worker      a message in; a page exported, a sweep compared, a job continued
    adapters    the ports over AWS and over the Thrive API; they use ports, model and errors
    settings    a function's environment, parsed once; it uses model and errors

    dispatch    work into the queue
    source      the API, read exactly
    ports       the protocols that the core calls
    model       values and pure functions
    errors      failures; the type says what happens next
"""
