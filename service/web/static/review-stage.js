// What the three kinds of review share: pictures that are there before they are asked for, shapes drawn over them.

const SVG = "http://www.w3.org/2000/svg";

export function shape(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export const pictureUrl = (item) => `/api/v1/samples/${item.id}/picture`;

/** A picture on its way: `ready` tells whether it came and is decoded, `isReady` whether that is so by now. */
export function loadPicture(item, alt) {
  const element = new Image();
  element.src = pictureUrl(item);
  element.alt = alt;
  const loaded = { element, isReady: false, drop() { element.removeAttribute("src"); } };
  loaded.ready = element.decode().then(() => { loaded.isReady = true; return true; }, () => false);
  return loaded;
}
