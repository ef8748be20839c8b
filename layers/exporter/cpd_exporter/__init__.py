"""The exporter: brings CPD log entries from Thrive to S3 and SNS, completely and continuously.

The map, in the order in which data travels (imports point down this list, towards the core):

    bootstrap    builds everything once per cold start: settings, clients, planner, worker
    adapters     Thrive's API over HTTP; DynamoDB, SQS, S3, SNS, Secrets Manager over boto3
    planning     the planner: cuts time into pages, sends what is due, moves the watermark
    working      the worker: a message in, a piece of work done, whatever became of it
    exporting    a page: out of the API, into the lake, told to the subscribers
    sweeping     done pages read again: what was edited, deleted, back-dated or moved is told
    errands      what an operator asks of a worker, from a cursor on
    replaying    a range announced again from the lake
    verifying    what is known against the lake's objects, and against the API's own sums
    storing      rows to the lake, then to the topic
    summing      the API's own sums, read completely
    commanding   what an operator's command sets going
    gathering    done pages into sweeps
    cutting      time into pages
    knowing      what the lake says of pages, and the rows that say it
    claiming     a piece of work in a worker's hands
    reporting    what the operator is shown
    sending      work into the queue; shared by planner and worker
    reading      one window out of the API, exactly, whatever order and totals it answers with
    ports        what the core asks of the world
    model        windows, pages, entries, rows, events, commands: values and pure functions
    errors       what can go wrong; the type says what happens next
"""
