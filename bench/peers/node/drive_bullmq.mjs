// The driver of BullMQ. Fast settings: `addBulk`, finished jobs removed, concurrency in the worker. Contract: bench/README.md.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(process.env.BENCH_NODE_MODULES);
const { Queue, Worker } = require("bullmq");
const IORedis = require("ioredis");

const [command, ...rest] = process.argv.slice(2);
const args = Object.fromEntries(
  Array.from({ length: rest.length / 2 }, (_, i) => [rest[2 * i].slice(2), rest[2 * i + 1]]),
);
const connection = new (IORedis.default ?? IORedis)(args.url, { maxRetriesPerRequest: null });
const options = { removeOnComplete: true, removeOnFail: true };
const epoch = BigInt(Date.now()) * 1000000n - process.hrtime.bigint();
const now = () => epoch + process.hrtime.bigint();
// A 64-bit integer does not fit into a JSON number here, so the time travels as text.
const payload = () => ({ t: String(now()), pad: "x".repeat(80) });
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function submit() {
  const queue = new Queue("bench", { connection });
  await queue.waitUntilReady();
  const n = Number(args.n);
  const bulk = Number(args.bulk ?? 1);
  const begin = process.hrtime.bigint();
  const passed = () => Number(process.hrtime.bigint() - begin) / 1e9;
  for (let done = 0; done < n; ) {
    const size = Math.min(bulk, n - done);
    if (command === "paced") {
      const early = done / Number(args.rate) - passed();
      if (early > 0.0005) await sleep(early * 1000);
    }
    if (size === 1) await queue.add("noop", payload(), options);
    else await queue.addBulk(Array.from({ length: size }, () => ({ name: "noop", data: payload(), opts: options })));
    done += size;
  }
  say({ n, seconds: passed() });
  await queue.close();
  connection.disconnect();
}

function work() {
  const file = fs.openSync(path.join(args.out, `${process.pid}.bin`), "a");
  const record = Buffer.alloc(16);
  const handler = async (job) => {
    record.writeBigUInt64LE(BigInt(job.data.t), 0);
    record.writeBigUInt64LE(now(), 8);
    fs.writeSync(file, record);
  };
  new Worker("bench", handler, { connection, concurrency: Number(args.slots), ...options }).on("ready", () =>
    say({ ready: true }),
  );
}

if (command === "enqueue" || command === "paced") await submit();
else if (command === "worker") work();
else process.exit(0);
