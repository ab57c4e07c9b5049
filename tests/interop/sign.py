"""Signs requests with botocore, the signer of the AWS CLI: jobs as JSON on stdin, results on stdout.

A job is {"method", "url", "headers", "body", "style"}; style is header, s3, query or s3-query. The time
of the signature is the job's "time", in Unix seconds. A result is {"url", "headers"}.
"""

import datetime
import json
import sys

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

STYLES = {
    "header": botocore.auth.SigV4Auth,
    "s3": botocore.auth.S3SigV4Auth,
    "query": botocore.auth.SigV4QueryAuth,
    "s3-query": botocore.auth.S3SigV4QueryAuth,
}


def sign(job):
    # The only way in which botocore lets itself be told the time.
    botocore.auth.get_current_datetime = lambda: datetime.datetime.fromtimestamp(
        job["time"], datetime.timezone.utc
    ).replace(tzinfo=None)
    credentials = Credentials(job["key_id"], job["secret"], job.get("token"))
    request = AWSRequest(
        method=job["method"], url=job["url"], headers=job["headers"], data=job["body"].encode()
    )
    STYLES[job["style"]](credentials, job["service"], job["region"]).add_auth(request)
    return {"url": request.url, "headers": [[name, value] for name, value in request.headers.items()]}


json.dump([sign(job) for job in json.load(sys.stdin)], sys.stdout)
