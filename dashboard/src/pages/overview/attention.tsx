import { Plural, Trans } from '@lingui/react/macro';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { deadLetters, drift, troubled } from '../../api/overview.ts';
import { useMay } from '../../frame/me.ts';
import { Failure } from '../../parts/states.tsx';
import { StatusBadge, type Tone } from '../../parts/status.tsx';

const LINK = 'shrink-0 text-accent underline';

/** What somebody has to look at, each with where to do that. */
export function Attention() {
  const may = useMay();
  const refused = useQuery({ ...troubled, enabled: may('integrations.read') });
  const outside = useQuery({ ...drift, enabled: may('usage.read') });
  const letters = useQuery({ ...deadLetters, enabled: may('dead_letters.read') });
  const failed = refused.data?.counts?.error ?? 0;
  const strange = new Set(outside.data?.flatMap((row) => (row.used_outside ? [row.integration_id] : []))).size;
  const given = letters.data?.items.length ?? 0;
  const isWhole = [refused, outside, letters].every((query) => query.fetchStatus === 'idle');
  return (
    <section className="flex flex-col gap-2">
      <h2 className="text-large font-semibold">
        <Trans>Needs attention</Trans>
      </h2>
      <Failure error={refused.error ?? outside.error ?? letters.error} />
      <ul className="flex flex-col rounded-large border border-line bg-panel empty:hidden">
        {failed > 0 && (
          <Item tone="bad" badge={<Trans>Refused</Trans>}>
            <span className="grow">
              <Plural value={failed} one="# key does not work" other="# keys do not work" />
            </span>
            <Link to="/integrations" search={{ status: 'error' }} className={LINK}>
              <Trans>Look at them</Trans>
            </Link>
          </Item>
        )}
        {strange > 0 && (
          <Item tone="warn" badge={<Trans>Used outside</Trans>}>
            <span className="grow">
              <Plural
                value={strange}
                one="# key has been used past Keyway in the last 7 days: somebody else may have it"
                other="# keys have been used past Keyway in the last 7 days: somebody else may have them"
              />
            </span>
            <Link to="/integrations" className={LINK}>
              <Trans>Replace them</Trans>
            </Link>
          </Item>
        )}
        {given > 0 && (
          <Item tone="warn" badge={<Trans>Given up</Trans>}>
            <Plural value={given} one="# message could not be processed" other="# messages could not be processed" />
          </Item>
        )}
      </ul>
      {isWhole && failed + strange + given === 0 && (
        <p className="text-soft">
          <Trans>Nothing now.</Trans>
        </p>
      )}
    </section>
  );
}

function Item({ tone, badge, children }: { tone: Tone; badge: ReactNode; children: ReactNode }) {
  return (
    <li className="flex flex-wrap items-center gap-3 border-t border-line px-3 py-2.5 first:border-t-0">
      <StatusBadge tone={tone}>{badge}</StatusBadge>
      {children}
    </li>
  );
}
