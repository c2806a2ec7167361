import { Trans } from '@lingui/react/macro';
import { dayOf, DayField } from '../../parts/date-field.tsx';
import { useNow } from '../../parts/time.tsx';

const DAY_MS = 86_400_000;
const USUAL_DAYS = 90;
/** One less than the server allows: a day ends later than it begins. */
const MOST_DAYS = 399;

/** Field for the day on which a token ends. */
export function ExpiryField() {
  const nowMs = useNow();
  const ahead = (days: number) => dayOf(new Date(nowMs + days * DAY_MS));
  return (
    <DayField
      label={<Trans>Works until</Trans>}
      hint={<Trans>The end of that day, in your own time; at most 399 days ahead.</Trans>}
      name="expires_on"
      max={ahead(MOST_DAYS)}
      defaultValue={ahead(USUAL_DAYS)}
      required
    />
  );
}
