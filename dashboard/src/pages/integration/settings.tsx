import { Trans, useLingui } from '@lingui/react/macro';
import { Lock } from 'lucide-react';
import type { ReactNode } from 'react';
import type { Schemas } from '../../api/client.ts';
import { useNames } from '../../api/names.ts';
import { Id } from '../../parts/copy.tsx';
import { Money } from '../../parts/money.tsx';
import { Time } from '../../parts/time.tsx';

type Detail = Schemas['IntegrationDetail'];

/** What is set for an integration, and what is known of its key without the key. */
export function Settings({ row }: { row: Detail }) {
  const { t } = useLingui();
  const project = useNames('project', [row.project_id]);
  const { config } = row;
  const none = <span className="text-soft">{t`none`}</span>;
  return (
    <dl className="divide-y divide-line rounded-large border border-line bg-panel">
      <Fact label={<Trans>Key</Trans>}>
        <span className="inline-flex items-center gap-1.5 font-mono text-small">
          <Lock size={12} aria-hidden className="text-soft" />
          {row.hint}
        </span>
        <span className="block text-small text-soft">
          {t`Sealed with AES-256-SIV and bound to this row; nobody can read it here`}
        </span>
      </Fact>
      <Fact label={<Trans>Id</Trans>}>
        <Id value={row.id} />
      </Fact>
      <Fact label={<Trans>Project</Trans>}>{project(row.project_id)}</Fact>
      <Fact label={<Trans>Base URL</Trans>}>
        {config.base_url ? (
          <span className="font-mono text-small break-all">{config.base_url}</span>
        ) : (
          t`the provider's own`
        )}
      </Fact>
      <Fact label={<Trans>Provider's key id</Trans>}>
        {config.provider_key_id ? (
          <span className="font-mono text-small break-all">{config.provider_key_id}</span>
        ) : (
          <span className="text-soft">{t`unknown`}</span>
        )}
      </Fact>
      <Fact label={<Trans>Place among others</Trans>}>
        <Trans>
          priority {row.priority}, weight {row.weight}
        </Trans>
      </Fact>
      <Fact label={<Trans>Limits</Trans>}>
        <Limits limits={row.limits} none={none} />
      </Fact>
      <Fact label={<Trans>Expires</Trans>}>
        <Time at={row.expires_at} />
      </Fact>
      <Fact label={<Trans>Last used</Trans>}>
        <Time at={row.last_used_at} />
      </Fact>
      <Fact label={<Trans>Added</Trans>}>
        <Time at={row.created_at} />
      </Fact>
    </dl>
  );
}

function Fact({ label, children }: { label: ReactNode; children: ReactNode }) {
  return (
    <div className="grid grid-cols-[9rem_minmax(0,1fr)] gap-x-3 px-3 py-2 max-md:grid-cols-[6.5rem_minmax(0,1fr)]">
      <dt className="text-soft">{label}</dt>
      <dd className="min-w-0">{children}</dd>
    </div>
  );
}

function Limits({ limits, none }: { limits: Schemas['LimitsView']; none: ReactNode }) {
  const { i18n } = useLingui();
  const number = new Intl.NumberFormat(i18n.locale);
  const { daily_budget_nano_usd: daily, monthly_budget_nano_usd: monthly } = limits;
  const { requests_per_minute: requests, tokens_per_minute: tokens } = limits;
  const set = [daily, monthly, requests, tokens].some((limit) => typeof limit === 'number');
  if (!set) return none;
  return (
    <ul>
      {typeof requests === 'number' && (
        <li>
          <Trans>{number.format(requests)} requests a minute</Trans>
        </li>
      )}
      {typeof tokens === 'number' && (
        <li>
          <Trans>{number.format(tokens)} tokens a minute</Trans>
        </li>
      )}
      {typeof daily === 'number' && (
        <li>
          <Trans>
            <Money nanoUsd={daily} /> a day
          </Trans>
        </li>
      )}
      {typeof monthly === 'number' && (
        <li>
          <Trans>
            <Money nanoUsd={monthly} /> a month
          </Trans>
        </li>
      )}
    </ul>
  );
}
