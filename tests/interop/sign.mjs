// Signs webhooks with the vendors' own libraries.
//
// stdin:  [{ provider, secret, timestamp, id, body }, …]   timestamp in Unix seconds
// stdout: [{ header: value, … }, …]                        header names in lower case
import { sign as octokitSign } from "@octokit/webhooks-methods";
import { Webhook } from "standardwebhooks";
import Stripe from "stripe";
import { text } from "node:stream/consumers";

// No key is needed to sign, and none to make a client that never calls.
const stripe = new Stripe("unused");

const signers = {
  stripe: ({ secret, timestamp, body }) => ({
    "stripe-signature": stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp }),
  }),
  github: async ({ secret, id, body }) => ({
    "x-github-delivery": id,
    "x-hub-signature-256": await octokitSign(secret, body),
  }),
  standard: ({ secret, timestamp, id, body }) => ({
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": new Webhook(secret).sign(id, new Date(timestamp * 1000), body),
  }),
};

const jobs = JSON.parse(await text(process.stdin));
const signed = await Promise.all(
  jobs.map((job) => {
    const sign = signers[job.provider];
    if (!sign) throw new Error(`no signer for ${job.provider}`);
    return sign(job);
  }),
);
process.stdout.write(JSON.stringify(signed));
