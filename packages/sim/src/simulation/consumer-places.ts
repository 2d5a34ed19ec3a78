import type { Lsn } from "@kaya/core";

/** Between which LSNs a consumer is registered, both included; undefined where it is not registered. */
export type Place = { readonly least: Lsn; readonly most: Lsn } | undefined;

/** The consumers that a run may have. */
export const CONSUMER_NAMES = ["copy", "index"] as const;

/** Possible places of a consumer at the next opening: one, or several after a failed or interrupted request. */
export class ConsumerPlaces {
  #places: readonly Place[] = [undefined];
  /** Its registration was not answered, and may be there: nothing was kept for it then. */
  isDoubtful = false;

  get all(): readonly Place[] {
    return this.#places;
  }

  settle(place: Place): void {
    this.#places = [place];
    this.isDoubtful = false;
  }

  mayBe(place: Place): void {
    this.#places = [...this.#places, place];
  }

  /** As it was before. */
  restore(places: readonly Place[]): void {
    this.#places = places;
  }

  includes(lsn: Lsn | undefined): boolean {
    return this.#places.some((place) =>
      place === undefined ? lsn === undefined : lsn !== undefined && lsn >= place.least && lsn <= place.most,
    );
  }

  toString(): string {
    return this.#places
      .map((place) => (place === undefined ? "none" : `LSN ${place.least} to ${place.most}`))
      .join(" or ");
  }
}
