import { Trans, useLingui } from '@lingui/react/macro';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { useNames } from '../../api/names.ts';
import type { Call } from '../../api/requests.ts';
import { Id } from '../../parts/copy.tsx';
import { Money } from '../../parts/money.tsx';
import { Time } from '../../parts/time.tsx';
import { CREDENTIAL } from '../../words/labels.ts';
import { CallStatus } from './call-status.tsx';

/** What the log knows of one call: where it went, how long it took, what it used. */
export function CallFacts({ call }: { call: Call }) {
  const { i18n, t } = useLingui();
  const integration = useNames('integration', [call.integration_id]);
  const key = useNames('virtual_key', [call.virtual_key_id]);
  const project = useNames('project', [call.project_id]);
  const number = new Intl.NumberFormat(i18n.locale);
  const exact = new Intl.DateTimeFormat(i18n.locale, { dateStyle: 'medium', timeStyle: 'long' });
  const figure = (value: number | null | undefined) =>
    typeof value === 'number' ? number.format(value) : <span className="text-soft">{t`unknown`}</span>;
  return (
    <dl className="divide-y divide-line rounded-large border border-line bg-panel">
      <Fact label={<Trans>Outcome</Trans>}>
        <CallStatus call={call} />
      </Fact>
      <Fact label={<Trans>Id</Trans>}>
        <Id value={call.id} />
      </Fact>
      <Fact label={<Trans>Time</Trans>}>
        <Time at={call.started_at} />
        <Part>{exact.format(new Date(call.started_at))}</Part>
      </Fact>
      <Fact label={<Trans>Endpoint</Trans>}>
        <span className="font-mono text-small break-all">{call.path}</span>
        {call.streamed && (
          <span className="ml-2 text-soft">
            <Trans>streamed</Trans>
          </span>
        )}
      </Fact>
      <Fact label={<Trans>Model</Trans>}>{call.model ?? <span className="text-soft">{t`unknown`}</span>}</Fact>
      <Fact label={<Trans>Served by</Trans>}>
        <Served call={call} nameOf={integration} />
      </Fact>
      <Fact label={<Trans>Attempts</Trans>}>
        {call.attempts === 0 ? <Trans>none: no provider was asked</Trans> : number.format(call.attempts)}
      </Fact>
      <Fact label={<Trans>Called with</Trans>}>
        {key(call.virtual_key_id)} <span className="text-soft">({project(call.project_id)})</span>
      </Fact>
      <Fact label={<Trans>Tokens in</Trans>}>
        {figure(call.input_tokens)}
        {typeof call.cached_input_tokens === 'number' && (
          <Part>
            <Trans>{figure(call.cached_input_tokens)} from the provider's cache</Trans>
          </Part>
        )}
        {typeof call.cache_write_tokens === 'number' && (
          <Part>
            <Trans>{figure(call.cache_write_tokens)} written to it</Trans>
          </Part>
        )}
      </Fact>
      <Fact label={<Trans>Tokens out</Trans>}>
        {figure(call.output_tokens)}
        {typeof call.reasoning_tokens === 'number' && (
          <Part>
            <Trans>{figure(call.reasoning_tokens)} of it reasoning</Trans>
          </Part>
        )}
      </Fact>
      <Fact label={<Trans>Cost</Trans>}>
        <Money nanoUsd={call.cost_nano_usd} />
        <Part>
          <PriceSource version={call.price_version} />
        </Part>
      </Fact>
    </dl>
  );
}

function Fact({ label, children }: { label: ReactNode; children: ReactNode }) {
  return (
    <div className="grid grid-cols-[8rem_1fr] gap-x-3 px-3 py-2 max-md:grid-cols-[6.5rem_1fr]">
      <dt className="text-soft">{label}</dt>
      <dd className="min-w-0 tabular-nums">{children}</dd>
    </div>
  );
}

function Part({ children }: { children: ReactNode }) {
  return <span className="block text-small text-soft">{children}</span>;
}

function Served({ call, nameOf }: { call: Call; nameOf: (id: string) => string }) {
  const { i18n, t } = useLingui();
  if (call.cached) return t`Keyway's own cache`;
  if (call.attempts === 0) return <span className="text-soft">{t`nobody`}</span>;
  return (
    <>
      {typeof call.integration_id === 'string' ? (
        <Link to="/integrations/$id" params={{ id: call.integration_id }} className="text-accent underline">
          {nameOf(call.integration_id)}
        </Link>
      ) : (
        i18n._(CREDENTIAL[call.credential])
      )}{' '}
      <span className="text-soft">({call.provider ?? t`unknown`})</span>
    </>
  );
}

/** Where a cost comes from: a version of the price list, or a word of the API's. */
function PriceSource({ version }: { version: string | null | undefined }) {
  if (version === null || version === undefined) return <Trans>no price is known</Trans>;
  switch (version) {
    case 'provider':
      return <Trans>as the provider stated it</Trans>;
    case 'cache':
      return <Trans>from the cache, so free</Trans>;
    case 'refused':
      return <Trans>refused, so free</Trans>;
    case 'counted':
      return <Trans>counted in another call</Trans>;
    default:
      return <Trans>price list {version}</Trans>;
  }
}
