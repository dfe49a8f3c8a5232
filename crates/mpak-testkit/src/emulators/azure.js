// Azurite's blob service on a port, with its files in a folder; ends when its stdin does.
const [port, folder, main] = process.argv.slice(1);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
process.argv = [process.argv[0], main, "--blobHost", "127.0.0.1", "--blobPort", port, "--location", folder,
  "--silent", "--disableTelemetry", "--skipApiVersionCheck"];
require(main);
