import assert from "node:assert/strict";
import { test } from "node:test";
import { standalonePage } from "../src/shared/page/standalone.ts";
import { Host } from "../src/shared/state/host.ts";
import { StandInModel, savedModel } from "../src/shared/state/standin.ts";

test("it records what a widget sends and writes", () => {
  const model = new StandInModel({ opacity: 1 });
  const host = new Host(model);
  host.commit({ opacity: 0.5 });
  host.send({ type: "ready" });
  assert.deepEqual(model.saved, [{ opacity: 0.5 }]);
  assert.deepEqual(model.sent, [{ type: "ready" }]);
  model.save_changes();
  assert.equal(model.saved.length, 1);
});

test("listeners hear of changes and messages until they are disposed of", () => {
  const model = new StandInModel({ opacity: 1 });
  const host = new Host(model);
  const heard: unknown[] = [];
  host.onChange("opacity", () => heard.push(host.get("opacity")));
  host.onMessage((message, buffers) => heard.push(message.type, [...buffers[0]!]));
  model.update("opacity", 0.3);
  model.receive({ type: "maps" }, ["AQID"]);
  assert.deepEqual(heard, [0.3, "maps", [1, 2, 3]]);
  host.dispose();
  assert.equal(model.listenerCount, 0);
  model.update("opacity", 0.9);
  assert.equal(heard.length, 3);
});

test("messages that are none are ignored", () => {
  const model = new StandInModel({});
  const host = new Host(model);
  let heard = 0;
  host.onMessage(() => heard++);
  for (const odd of [null, "text", 3, {}]) model.receive(odd as never);
  assert.equal(heard, 0);
});

test("a saved page answers ready with what was recorded", () => {
  const model = savedModel({ state: {}, messages: [{ content: { type: "picture" }, buffers: ["AA=="] }] });
  const heard: string[] = [];
  new Host(model).onMessage((message) => heard.push(message.type));
  model.send({ type: "ready" });
  model.send({ type: "compute" });
  assert.deepEqual(heard, ["picture"]);
});

test("a host whose comm is closed does not break the widget", async () => {
  const closed = {
    ...new StandInModel({}),
    get: () => 1,
    set: () => undefined,
    save_changes: () => undefined,
    on: () => undefined,
    off: () => undefined,
  };
  const throwing = new Host({
    ...closed,
    send: () => {
      throw new Error("closed");
    },
  });
  assert.equal(throwing.send({ type: "ready" }), false);
  const rejecting = new Host({ ...closed, send: () => Promise.reject(new Error("closed")) });
  assert.equal(rejecting.send({ type: "ready" }), true);
  await new Promise((done) => setTimeout(done)); // an unhandled rejection would fail the run
});

test("no text of the user can break out of a saved page", () => {
  const evil = "</script><script>alert(1)</script>";
  const page = standalonePage(`${evil} {{css}} $&`, "export const standalone = 1", "a{}", {
    state: { title: evil, class_names: [evil] },
    messages: [],
  });
  assert.ok(!page.includes("<script>alert"));
  assert.ok(page.includes("{{css}} $&"), "the title is not a template");
  const content = /id="content">(.*?)<\/script>/s.exec(page)![1]!;
  assert.equal(JSON.parse(content).state.title, evil);
});
