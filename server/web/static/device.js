"use strict";

const field = (id) => document.getElementById(id);

let code = ""; // of the device that is shown

function say(good, text) {
  const answer = field("answer");
  answer.hidden = false;
  answer.className = good ? "good" : "bad";
  answer.textContent = text;
}

// ask sends a body and returns the answer, or says what is wrong and returns
// null.
async function ask(path, body, what) {
  const buttons = document.querySelectorAll("button");
  buttons.forEach((b) => { b.disabled = true; });
  field("answer").hidden = true;
  try {
    const response = await fetch("/admin/web/device/" + path, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Admin-Token": field("admin-token").value },
      body: JSON.stringify(body),
    });
    const answer = await response.json();
    if (response.ok) return answer;
    say(false, response.status === 404 ? `${what}: no device waits with that code.` : `${what}: ${answer.error}.`);
  } catch (error) {
    say(false, `${what}: the server did not answer.`);
  } finally {
    buttons.forEach((b) => { b.disabled = false; });
  }
  return null;
}

function show(device) {
  code = device.user_code;
  field("asks-agent").textContent = device.proved ? `${device.agent_id} in ${device.namespace}` : "it does not say";
  field("asks-key").textContent = device.proved ? device.fingerprint : "it proved none";
  field("asks-host").textContent = device.hostname ? `${device.hostname} (${device.os}), by its own word` : "it does not say";
  field("asks-origin").textContent = device.origin
    ? device.origin === location.origin ? device.origin : `${device.origin}, which is not where you are: somebody there may pass on what it says`
    : "it does not say";
  field("asks-address").textContent = device.source_ip;
  const warning = field("warning");
  warning.hidden = !(device.key_change || device.new_agent || !device.proved);
  warning.textContent = device.key_change
    ? "KEY CHANGE. This agent is known with another key. If nobody made it a new one, somebody wants to take its place."
    : device.new_agent
      ? "This agent is new. Approving registers it with the key above: compare it with what the device shows."
      : "This device proved no key. Whoever holds its code will act as the agent you name.";
  field("change").hidden = !device.key_change;
  field("key-change").checked = false;
  field("agent-id").value = "";
  field("namespace").value = "";
  field("device").hidden = false;
  field("agent-id").focus();
}

function done(text) {
  field("device").hidden = true;
  field("find").reset();
  say(true, text);
}

field("find").addEventListener("submit", async (event) => {
  event.preventDefault();
  field("device").hidden = true;
  const device = await ask("lookup", { user_code: field("user-code").value }, "Not found");
  if (device) show(device);
});

field("approve").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = { user_code: code, agent_id: field("agent-id").value, key_change: field("key-change").checked };
  const namespace = field("namespace").value.trim();
  if (namespace) body.namespace = namespace;
  const answer = await ask("approve", body, "Not approved");
  if (answer) done(`Approved: ${answer.user_code} now acts as ${answer.agent_id}.`);
});

field("deny").addEventListener("click", async () => {
  const answer = await ask("deny", { user_code: code }, "Not denied");
  if (answer) done(`Denied: ${answer.user_code}.`);
});
