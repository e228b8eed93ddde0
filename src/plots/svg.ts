// SVG as text: elements, paths with few digits, and one style for light and dark surroundings.
//
// A picture brings its own background, so that it can be read whatever the page behind it looks like.

export type Attributes = Record<string, string | number | undefined>

export function element(name: string, attributes: Attributes, content = ''): string {
  const list = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${typeof value === 'number' ? short(value) : escapeText(value!)}"`)
  return content === '' ? `<${name}${list.join('')}/>` : `<${name}${list.join('')}>${content}</${name}>`
}

export function text(x: number, y: number, content: string, attributes: Attributes = {}): string {
  return element('text', { x, y, ...attributes }, escapeText(content))
}

/** A line through points; a point that is not a number breaks it. */
export function linePath(points: readonly (readonly [number, number])[]): string {
  let path = ''
  let down = false
  for (const [x, y] of points) {
    if (Number.isNaN(y)) down = false
    else {
      path += `${down ? 'L' : 'M'}${short(x)} ${short(y)}`
      down = true
    }
  }
  return path
}

/** The area between two lines over the same x. */
export function areaPath(points: readonly (readonly [x: number, upper: number, lower: number])[]): string {
  const upper = points.map(([x, y]) => [x, y] as const)
  const lower = points.map(([x, , y]) => [x, y] as const).reverse()
  return points.length === 0 ? '' : `${linePath([...upper, ...lower])}Z`
}

/** A tenth of a pixel is enough. */
export function short(value: number): string {
  return String(Math.round(value * 10) / 10)
}

export function escapeText(value: string | number): string {
  return String(value).replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`)
}

const STYLE = `
text{font-family:ui-sans-serif,system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;font-size:12px;fill:#59636e}
.title{font-size:16px;font-weight:600;fill:#1f2328}
.back{fill:#fff}.grid{stroke:#d8dee4;stroke-width:1}.frame{stroke:#8c959f;stroke-width:1;fill:none}
.span{fill:#818b981f}.first{fill:#0969da}.second{fill:#bc4c00}
.area{fill:#0969da;fill-opacity:.32}.line1,.line2{fill:none;stroke-width:1.5;stroke-linejoin:round}
.line1{stroke:#0969da}.line2{stroke:#bc4c00}
@media(prefers-color-scheme:dark){text{fill:#9198a1}.title{fill:#f0f6fc}.back{fill:#0d1117}.grid{stroke:#262c36}
.frame{stroke:#656c76}.span{fill:#b1bac426}.first{fill:#58a6ff}.second{fill:#f0883e}
.area{fill:#58a6ff}.line1{stroke:#58a6ff}.line2{stroke:#f0883e}}
`

/** A whole file. `about` is what a reader who does not see it is told. */
export function svgFile(width: number, height: number, about: string, content: readonly string[]): string {
  const parts = [
    `<title>${escapeText(about)}</title>`,
    `<style>${STYLE.trim()}</style>`,
    element('rect', { class: 'back', width, height, rx: 6 }),
    ...content,
  ]
  const open = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`
  return `${open}\n${parts.join('\n')}\n</svg>\n`
}
