import { signal } from "@preact/signals";
import type { StoreInfo } from "../../api.js";
import { getStore } from "../lib/client.js";

/** The facts about the store from when the page opened. */
export const storeInfo = signal<StoreInfo | undefined>(undefined);
export const storeError = signal<unknown>(undefined);

export async function loadStore(): Promise<void> {
  try {
    storeInfo.value = await getStore();
    storeError.value = undefined;
  } catch (error) {
    storeError.value = error;
  }
}

export function canWrite(): boolean {
  return storeInfo.value?.mode === "writer";
}
