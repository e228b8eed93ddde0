// Scenario files: what is read, and what is said about one that is wrong.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseScenario, ScenarioError } from '../../sim/wokwi/host/scenario'

const HEAD = 'name: a test\nversion: 1\nsteps:\n'

describe('a scenario', () => {
  it('is_read_with_all_its_steps', () => {
    const { name, steps } = parseScenario(
      `${HEAD}  - delay: 1.5ms\n  - name: waits\n    wait-serial: ready\n  - write-serial: [1, 2]\n  - write-serial: "a\\n"\n` +
        '  - set-control: { part-id: p, name: c, value: 2 }\n  - set-control: { part-id: p, control: c, value: 2 }\n' +
        '  - expect-pin: { part-id: p, pin: 4, value: 1 }\n  - expect-chip-output: hello\n',
    )
    expect(name).toBe('a test')
    expect(steps.map(({ line, action }) => ({ line, ...action }))).toEqual([
      { line: 4, kind: 'delay', nanos: 1.5e6 },
      { line: 5, kind: 'wait-serial', text: 'ready' },
      { line: 7, kind: 'write-serial', bytes: Uint8Array.of(1, 2) },
      { line: 8, kind: 'write-serial', bytes: Uint8Array.of(97, 10) },
      { line: 9, kind: 'set-control', part: 'p', name: 'c', value: 2 },
      { line: 10, kind: 'set-control', part: 'p', name: 'c', value: 2 },
      { line: 11, kind: 'expect-pin', part: 'p', name: '4', value: 1 },
      { line: 12, kind: 'expect-chip-output', text: 'hello' },
    ])
    expect(steps[1]!.name).toBe('waits')
  })

  it.each([
    ['nothing at all', '', 'f.yaml:1: a scenario is a mapping with name, version and steps'],
    ['a list', '- delay: 1s\n', 'f.yaml:1: a scenario is a mapping with name, version and steps'],
    ['no version', 'name: x\nsteps:\n  - delay: 1s\n', 'f.yaml:1: version is missing'],
    ['another version', 'name: x\nversion: 2\nsteps: []\n', 'f.yaml:2: version 2 is not supported: 1 is'],
    ['no name', 'version: 1\nsteps:\n  - delay: 1s\n', 'f.yaml:1: name is missing'],
    ['no steps', 'name: x\nversion: 1\n', 'f.yaml:1: steps is missing'],
    ['steps that are no list', 'name: x\nversion: 1\nsteps: 5\n', 'f.yaml:3: steps must be a list'],
    ['an unknown key', 'name: x\nversion: 1\nstep: []\n', 'f.yaml:3: "step" is not known here'],
    ['an unknown step', `${HEAD}  - delay: 1s\n  - dleay: 1s\n`, 'f.yaml:5: there is no step "dleay"'],
    ['a step that is a text', `${HEAD}  - delay\n`, 'f.yaml:4: a step must be a mapping'],
    [
      'a step with two actions',
      `${HEAD}  - delay: 1s\n    wait-serial: x\n`,
      'f.yaml:4: a step has one action, this one has 2',
    ],
    ['a step with a name only', `${HEAD}  - name: x\n`, 'f.yaml:4: a step has one action, this one has none'],
    [
      'a duration without unit',
      `${HEAD}  - delay: 500\n`,
      'f.yaml:4: "500" is no duration: a number with ns, us, ms or s is needed',
    ],
    [
      'a control without name',
      `${HEAD}  - set-control:\n      part-id: p\n      value: 1\n`,
      'f.yaml:5: name is missing',
    ],
    [
      'a control with a text',
      `${HEAD}  - set-control: { part-id: p, name: c,\n      value: on }\n`,
      'f.yaml:5: set-control: value must be a number',
    ],
    ['a misspelt part-id', `${HEAD}  - expect-pin:\n      partid: p\n`, 'f.yaml:5: "partid" is not known here'],
    [
      'a byte that is none',
      `${HEAD}  - write-serial: [256]\n`,
      'f.yaml:4: write-serial takes a text or a list of bytes',
    ],
    [
      'a screen',
      `${HEAD}  - take-screenshot: {}\n`,
      'f.yaml:4: take-screenshot needs a part with a screen: the diagram has none',
    ],
  ])('is_refused_with_its_line_when_it_has_%s', (_what, text, message) => {
    const read = () => parseScenario(text, 'f.yaml')
    expect(read).toThrow(ScenarioError)
    expect(read).toThrow(message)
  })

  it('is_refused_with_its_line_when_it_is_not_YAML', () => {
    expect(() => parseScenario(`${HEAD}  - delay: "1s\n  - x`, 'f.yaml')).toThrow(/^f\.yaml:[56]: /)
    expect(() => parseScenario('name: [\n', 'f.yaml')).toThrow(/^f\.yaml:[12]: /)
  })

  it('is_read_or_refused_with_a_line_whatever_was_done_to_it', () => {
    const good = `${HEAD}  - delay: 1s\n  - set-control: { part-id: p, name: c, value: 2 }\n  - write-serial: [1, 2]\n`
    const edit = fc.record({
      at: fc.nat(good.length),
      cut: fc.nat(12),
      put: fc.constantFrom(
        '',
        ' ',
        '\n',
        '- ',
        ':',
        '{',
        ']',
        '&a',
        '*a',
        '!x ',
        '? ',
        '"',
        '#',
        'null',
        '<<: ',
        '---\n',
        '\t',
        '1e99',
      ),
    })
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
        let text = good
        for (const { at, cut, put } of edits) text = text.slice(0, at) + put + text.slice(at + cut)
        try {
          expect(parseScenario(text, 'f.yaml').steps.length).toBeGreaterThan(0)
        } catch (error) {
          expect(error, text).toBeInstanceOf(ScenarioError)
          expect((error as Error).message).toMatch(/^f\.yaml:\d+: ./)
        }
      }),
      { seed: 6, numRuns: 3000 },
    )
  })
})
