// One stream of news for all tabs of a browser: a browser opens only six connections to a place.
const AGAIN_AFTER = 5000;
const ports = new Set();
let source, again, last = 0;

function tell(message, but) {
  for (const port of ports) if (port !== but) port.postMessage(message);
}

function close() {
  clearTimeout(again);
  source?.close();
  source = null;
}

function open(news, after) {
  close();
  source = new EventSource(`${news}?after=${after}`);
  source.onopen = () => tell({ on: true });
  source.onerror = () => {
    const shut = source.readyState === EventSource.CLOSED;
    tell({ on: false, shut });
    if (shut) again = setTimeout(() => ports.size && open(news, Math.max(last, after)), AGAIN_AFTER);
  };
  source.addEventListener("news", (event) => {
    last = Number(event.lastEventId);
    tell({ on: true, news: JSON.parse(event.data) });
  });
  source.addEventListener("ended", () => {
    close();
    tell({ ended: true });
  });
}

onconnect = ({ ports: [port] }) => {
  ports.add(port);
  port.onmessage = ({ data }) => {
    if (data.leave) ports.delete(port);
    if (data.out) {
      close();
      tell({ out: true }, port);
    }
    if (!ports.size) close();
    if (data.after === undefined) return;
    if (!source || source.readyState === EventSource.CLOSED) open(data.news, Math.max(last, data.after));
    else if (source.readyState === EventSource.OPEN) port.postMessage({ on: true });
    if (last > data.after) port.postMessage({ news: { what: "stale" } });
  };
};
