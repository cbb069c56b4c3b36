// One web page over TLS for Claude Code's WebFetch, which takes no other: prints its port. The certificate in page.pem is
// for 127.0.0.1 and trusted by nobody but the test.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";

const pem = readFileSync(new URL("page.pem", import.meta.url));
const page = "<html><body><h1>Title</h1><p>Body text about zebras.</p></body></html>";
const server = createServer({ cert: pem, key: pem }, (_, response) => {
    response.setHeader("content-type", "text/html");
    response.end(page);
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit()).resume();
