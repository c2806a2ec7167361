"""Gives a fresh moto two users, one of whom may read costs, and two pages of costs; then switches its
checks of signatures and policies on. Prints the users' keys as JSON."""

import json
import sys
import urllib.request

import boto3

ROOT = sys.argv[1]


def post(path, body, content_type):
    request = urllib.request.Request(ROOT + path, body.encode(), {"content-type": content_type})
    urllib.request.urlopen(request, timeout=10).close()


def check_after(calls):
    post("/moto-api/reset-auth", str(calls), "text/plain")


def day(start, end, costs):
    groups = [
        {"Keys": [service], "Metrics": {"UnblendedCost": {"Amount": amount, "Unit": "USD"}}}
        for service, amount in costs
    ]
    return {"TimePeriod": {"Start": start, "End": end}, "Total": {}, "Groups": groups, "Estimated": True}


check_after(1000)
iam = boto3.client(
    "iam", endpoint_url=ROOT, region_name="us-east-1", aws_access_key_id="setup", aws_secret_access_key="setup"
)
keys = {}
for user in ("reader", "stranger"):
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    keys[user] = {"id": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
policy = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "ce:GetCostAndUsage", "Resource": "*"}],
}
iam.put_user_policy(UserName="reader", PolicyName="costs", PolicyDocument=json.dumps(policy))
first = day("2026-11-01", "2026-11-02", [("Amazon Bedrock", "1.2345678901"), ("AWS Cost Explorer", "0.01")])
second = day("2026-11-02", "2026-11-03", [("Amazon Bedrock", "0.25")])
pages = [{"ResultsByTime": [first], "NextPageToken": "second"}, {"ResultsByTime": [second]}]
post("/moto-api/static/ce/cost-and-usage-results", json.dumps({"results": pages}), "application/json")
check_after(0)
print(json.dumps(keys))
