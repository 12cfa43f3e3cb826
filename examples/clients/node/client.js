// Train a model and ask it over AMQP, with amqplib: node client.js AMQP_URL DATASET_ID
import { randomUUID } from "node:crypto";
import amqplib from "amqplib";

const TRAIN_SECONDS = 600, PREDICT_SECONDS = 10;

// A reply says that a request failed: `type` is for programs, the message for people.
class WarrenError extends Error {
  constructor({ type, detail }) {
    super(detail);
    this.type = type;
  }
}

class Client {
  #pending = new Map();

  static async connect(url) {
    const client = new Client();
    client.connection = await amqplib.connect(url);
    // Without a listener, the loss of the connection would end the program.
    client.connection.on("error", (error) => client.#lost(error));
    client.connection.on("close", () => client.#lost(new Error("the connection is closed")));
    client.channel = await client.connection.createConfirmChannel();
    client.channel.on("return", ({ fields, properties }) =>  // no queue took the message
      client.#pending.get(properties.correlationId)?.reject(new Error(fields.replyText)));
    // A queue for replies, which is gone with the connection.
    client.replyTo = (await client.channel.assertQueue("", { exclusive: true })).queue;
    await client.channel.consume(client.replyTo, (reply) => client.#take(reply), { noAck: true });
    return client;
  }

  // Returns the last reply to a training. If the connection is lost, connect again and call this
  // with the same `messageId`: it is still the same job, and its end is told again.
  train(body, messageId) {
    return this.#call("queue.model.train", body, TRAIN_SECONDS, { messageId, persistent: true });
  }

  // Nobody answers a prediction when nobody waits any more.
  predict(body) {
    const expiration = PREDICT_SECONDS * 1000;
    return this.#call("queue.model.predict", body, PREDICT_SECONDS, { expiration });
  }

  close() {
    return this.connection.close();
  }

  async #call(queue, body, seconds, options) {
    const correlationId = randomUUID();
    let timer;
    const reply = new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no reply within ${seconds} s`)), seconds * 1000);
      this.#pending.set(correlationId, { resolve, reject });
    });
    const content = Buffer.from(JSON.stringify(body));
    const properties = { correlationId, replyTo: this.replyTo, mandatory: true, ...options };
    const confirmed = new Promise((resolve, reject) => {
      this.channel.sendToQueue(queue, content, properties,
        (error) => error ? reject(error) : resolve());
    });
    try {
      return (await Promise.all([reply, confirmed]))[0];
    } finally {
      clearTimeout(timer);
      this.#pending.delete(correlationId);
    }
  }

  #take(reply) {
    const caller = this.#pending.get(reply?.properties.correlationId);
    if (!caller) return; // nobody waits any more
    const body = JSON.parse(reply.content);
    if (body.status === "TASK_COMPLETED") caller.resolve(body);
    else if (body.status !== "TASK_RECEIVED") {
      caller.reject(new WarrenError(body.error ?? { type: "", detail: "cancelled" }));
    }
  }

  #lost(error) {
    for (const caller of this.#pending.values()) caller.reject(error);
  }
}

const [url, dataset_id] = process.argv.slice(2);
const client = await Client.connect(url);
const training = { dataset_id, features: ["bmi", "bp"], target: "target" };
const { model_id } = await client.train(training, randomUUID());
console.log("trained", model_id);
const rows = [{ bmi: 0.06, bp: 0.02 }, { bmi: -0.04, bp: -0.02 }];
const replies = await Promise.all(rows.map((input_data) => client.predict({ model_id, input_data })));
for (const { prediction } of replies) console.log("predicted", prediction);
try {
  await client.predict({ model_id, input_data: { bmi: "high", bp: 0.02 } });
} catch (error) {
  if (!(error instanceof WarrenError)) throw error;
  console.log(`refused ${error.type}: ${error.message}`);
}
await client.close();
