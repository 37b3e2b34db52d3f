/** The flipping viewer, for its hosts. */
import { anywidgetDoor, pageDoor } from "../shared/door.ts";
import type { Host } from "../shared/host.ts";
import { StandInModel } from "../shared/standin.ts";
import { mount } from "./mount.tsx";
import { FlippingStore } from "./store.ts";
import "../shared/base.css";
import "../shared/layout.css";
import "../shared/controls/controls.css";
import "./flipping.css";
import "./table.css";

const create = (host: Host, options?: { standalone?: boolean }) => new FlippingStore(host, options);

export default anywidgetDoor(create, mount);
export const standalone = pageDoor(create, mount);
export { StandInModel };
