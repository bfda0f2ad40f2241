"use strict";
// The gateway listens on every address and at a fixed port. Here it listens on this machine alone, at a port that the
// system gives, and says which.
const { Server } = require("node:net");
const listen = Server.prototype.listen;
Server.prototype.listen = function (...given) {
  const callback = given.find((argument) => typeof argument === "function");
  this.once("listening", () => console.log(`LISTENING ${this.address().port}`));
  return listen.call(this, { port: 0, host: "127.0.0.1" }, callback);
};
