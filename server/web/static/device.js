"use strict";

const field = (id) => document.getElementById(id);

field("approve").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = field("answer");
  const button = event.target.querySelector("button");
  const namespace = field("namespace").value.trim();
  const query = namespace ? "?namespace=" + encodeURIComponent(namespace) : "";
  button.disabled = true;
  answer.hidden = false;
  answer.className = "";
  answer.textContent = "…";
  try {
    const response = await fetch("/admin/web/device/approve" + query, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Admin-Token": field("admin-token").value },
      body: JSON.stringify({ user_code: field("user-code").value, agent_id: field("agent-id").value }),
    });
    const body = await response.json();
    answer.className = response.ok ? "good" : "bad";
    answer.textContent = response.ok
      ? `Approved: ${body.user_code} now acts as ${body.agent_id}.`
      : `Not approved: ${body.error}.`;
    if (response.ok) event.target.reset();
  } catch (error) {
    answer.className = "bad";
    answer.textContent = "Not approved: the server did not answer.";
  } finally {
    button.disabled = false;
  }
});
