// Verifies webhooks with the vendors' own libraries.
//
// stdin:  [{ provider, secret, body, headers }, …]   header names in lower case
// stdout: [true | false, …]                          whether the library accepts it, now
import { verify as octokitVerify } from "@octokit/webhooks-methods";
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import Stripe from "stripe";
import { text } from "node:stream/consumers";

// No key is needed to verify, and none to make a client that never calls.
const stripe = new Stripe("unused");

// A library says no by throwing an error of its own; any other error is a mistake of this script.
const refuses = (kind, accept) => {
  try {
    accept();
    return true;
  } catch (error) {
    if (error instanceof kind) return false;
    throw error;
  }
};

const verifiers = {
  stripe: ({ secret, body, headers }) =>
    refuses(Stripe.errors.StripeSignatureVerificationError, () =>
      stripe.webhooks.constructEvent(body, headers["stripe-signature"], secret),
    ),
  github: ({ secret, body, headers }) => octokitVerify(secret, body, headers["x-hub-signature-256"]),
  standard: ({ secret, body, headers }) =>
    refuses(WebhookVerificationError, () => new Webhook(secret).verify(body, headers)),
};

const jobs = JSON.parse(await text(process.stdin));
const verdicts = await Promise.all(
  jobs.map((job) => {
    const verify = verifiers[job.provider];
    if (!verify) throw new Error(`no verifier for ${job.provider}`);
    return verify(job);
  }),
);
process.stdout.write(JSON.stringify(verdicts));
