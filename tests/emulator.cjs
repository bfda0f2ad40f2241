// An emulator of providers that is not ours, with two answers: a greeting, and a call of a tool.
const { LLMock } = require("@copilotkit/aimock");

(async () => {
  const emulator = new LLMock({ port: 0, host: "127.0.0.1" });
  emulator.onMessage("hello", { content: "Hi there, friend!" });
  emulator.onMessage("weather", { toolCalls: [{ name: "get_weather", arguments: '{"city":"Paris"}' }] });
  await emulator.start();
  console.log("LISTENING " + new URL(emulator.url).port);
})();
