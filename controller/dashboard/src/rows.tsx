// A list that may be long: only the rows on the screen are in the document, the others are room.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

const kFew = 80; // so many are simply all there
const kBeyond = 12; // rows above and below what is seen

export function Rows<T>(props: {
  items: T[];
  keyOf: (item: T) => string;
  row: (item: T) => ComponentChildren;
  name: string;
  class?: string;
}) {
  const { items } = props;
  const list = useRef<HTMLUListElement>(null);
  const [seen, setSeen] = useState({ from: 0, to: kFew, height: 34 });
  const many = items.length > kFew;
  useEffect(() => {
    if (!many) return;
    const look = () => {
      const top = list.current?.getBoundingClientRect().top ?? 0;
      const height = list.current?.querySelector("li")?.offsetHeight || 34;
      const from = Math.max(0, Math.floor(-top / height) - kBeyond);
      const to = Math.ceil((innerHeight - top) / height) + kBeyond;
      setSeen((old) =>
        old.from === from && old.to === to && old.height === height ? old : { from, to, height },
      );
    };
    look();
    addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look);
    return () => {
      removeEventListener("scroll", look);
      removeEventListener("resize", look);
    };
  }, [many]);
  const from = many ? Math.min(seen.from, items.length) : 0;
  const to = many ? Math.min(seen.to, items.length) : items.length;
  const room = many
    ? {
        paddingTop: `${from * seen.height}px`,
        paddingBottom: `${(items.length - to) * seen.height}px`,
      }
    : undefined;
  return (
    <ul ref={list} class={`rows ${props.class ?? ""}`} aria-label={props.name} style={room}>
      {items.slice(from, to).map((item) => (
        <li key={props.keyOf(item)}>{props.row(item)}</li>
      ))}
    </ul>
  );
}
