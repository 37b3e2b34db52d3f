/** The flipping viewer, for its hosts. */
import { anywidgetDoor, pageDoor } from "../shared/page/door.ts";
import type { Host } from "../shared/state/host.ts";
import { StandInModel } from "../shared/state/standin.ts";
import type { StoreOptions } from "../shared/state/store.ts";
import { FlippingStore } from "./state/store.ts";
import { mount } from "./views/mount.tsx";
import "../shared/styles/all.css";
import "./views/pictures.css";
import "./views/styles.css";
import "./views/table.css";

const create = (host: Host, options?: StoreOptions) => new FlippingStore(host, options);

export default anywidgetDoor(create, mount);
export const standalone = pageDoor(create, mount);
export { StandInModel };
