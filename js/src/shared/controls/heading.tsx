/** What every widget begins with: what is explained and how, full screen, light or dark; below it all images. */
import type { Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import type { Picture } from "../data/picture.ts";
import type { Album } from "../state/album.ts";
import type { Saved } from "../state/standin.ts";
import type { Help, ThemeChoice } from "../types.ts";
import { Filmstrip } from "./filmstrip.tsx";
import { FullScreenButton } from "./full-screen.tsx";
import { Subject } from "./subject.tsx";
import { ThemeSwitch } from "./theme-switch.tsx";

/** What a store of any widget offers here. */
interface Headed {
  album: Album;
  saved: Saved | null;
  picture: { readonly value: Picture | null };
  state: {
    title: Signal<string>;
    image: Signal<number>;
    images: Signal<number>;
    theme: Signal<ThemeChoice>;
    model_name: Signal<string>;
  };
  className(index: number): string;
  canShow(image: number): boolean;
  set(name: "theme", value: ThemeChoice): void;
}

interface HeadingProps {
  store: Headed;
  /** The method's name, what it does, and what else there is to say of it. */
  method: string;
  help?: Help | undefined;
  more?: string;
  /** What is said of the images, and by whom, where that is not the store's own. */
  album?: Album;
  model?: string;
  /** Images beside each other, which Shift and a press choose. */
  beside?: { images: readonly number[]; toggle: (image: number) => void };
  onImage: (image: number) => void;
  /** What stands before full screen and theme. */
  children?: ComponentChildren;
}

export function Heading(props: HeadingProps) {
  const { store, method, help, more = "", album = store.album, beside, onImage, children } = props;
  const { title, image, theme, model_name } = store.state;
  const className = (index: number) => store.className(index);
  return (
    <>
      <header class="xw-header">
        {title.value && <h2 class="xw-title">{title.value}</h2>}
        <Subject
          picture={store.picture.value}
          prediction={album.prediction(image.value)}
          className={className}
          model={props.model ?? model_name.value}
          saved={store.saved}
          method={method}
          help={help}
          more={more}
        />
        <span class="xw-header-controls">
          {children}
          <FullScreenButton />
          <ThemeSwitch theme={theme.value} onChange={(choice) => store.set("theme", choice)} />
        </span>
      </header>
      <Filmstrip
        store={store}
        album={album}
        className={className}
        {...(beside ? { beside } : {})}
        onChange={onImage}
      />
    </>
  );
}
