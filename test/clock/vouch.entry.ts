// The comparison of sky and network, for vouch.test.ts.

export {
  vouchAlarm,
  vouchCompare,
  vouchDisagreement,
  vouchInit,
  vouchNobody,
  vouchProves,
  vouchPulse,
  vouchQuorum,
  vouchRaised,
  vouchReady,
  vouchUnjudged,
  vouchWhole,
} from '../../firmware/clock/vouch'
