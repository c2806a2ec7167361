/** Bars over days. The file's name is the name of the chunk: it holds the charts' library, and is loaded with the first chart. */
import { useLingui } from '@lingui/react/macro';
import { BarChart } from 'echarts/charts';
import { GridComponent, TooltipComponent } from 'echarts/components';
import { init, use, type EChartsCoreOption } from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';
import { useEffect, useRef, useSyncExternalStore } from 'react';

use([BarChart, GridComponent, TooltipComponent, CanvasRenderer]);

export interface Series {
  id: string;
  name: string;
  /** Name of a colour of tokens.css. */
  colour: string;
  /** One for each day; null: unknown. */
  values: (number | null)[];
}

interface Props {
  /** Sentence that says what one sees. A table beside the chart has the figures. */
  label: string;
  days: string[];
  series: Series[];
  isStacked: boolean;
  /** Writes a value at the axis and in the box that follows the pointer. */
  write: (value: number) => string;
}

export default function Chart({ label, days, series, isStacked, write }: Props) {
  const { i18n } = useLingui();
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<ReturnType<typeof init> | null>(null);
  const theme = useSyncExternalStore(followTheme, shownTheme);
  useEffect(() => {
    const made = init(host.current!);
    chart.current = made;
    const observer = new ResizeObserver(() => made.resize());
    observer.observe(host.current!);
    return () => {
      observer.disconnect();
      made.dispose();
    };
  }, []);
  useEffect(() => {
    chart.current?.setOption(optionOf({ days, series, isStacked, write }, i18n.locale), { notMerge: true });
  }, [days, series, isStacked, write, i18n.locale, theme]);
  return <div ref={host} role="img" aria-label={label} className="h-64 w-full" />;
}

function followTheme(listener: () => void) {
  const observer = new MutationObserver(listener);
  observer.observe(document.documentElement, { attributeFilter: ['data-theme'] });
  return () => observer.disconnect();
}

function shownTheme(): string {
  return document.documentElement.dataset.theme ?? '';
}

function optionOf({ days, series, isStacked, write }: Omit<Props, 'label'>, locale: string): EChartsCoreOption {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const text = { color: colour('soft'), fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 11 };
  const day = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', timeZone: 'UTC' });
  return {
    animation: false,
    backgroundColor: 'transparent',
    textStyle: text,
    grid: { left: 4, right: 4, top: 12, bottom: 4, containLabel: true },
    tooltip: {
      trigger: 'axis',
      axisPointer: { type: 'shadow', shadowStyle: { color: colour('sunken'), opacity: 0.6 } },
      // As HTML it would have style attributes, which the policy blocks.
      renderMode: 'richText',
      confine: true,
      order: 'valueDesc',
      backgroundColor: colour('panel'),
      borderColor: colour('line'),
      textStyle: { ...text, color: colour('ink'), fontSize: 12 },
      valueFormatter: (value: unknown) => (typeof value === 'number' ? write(value) : '—'),
    },
    xAxis: {
      type: 'category',
      data: days.map((at) => day.format(new Date(at))),
      axisLine: { lineStyle: { color: colour('line') } },
      axisTick: { show: false },
      axisLabel: { ...text, hideOverlap: true },
    },
    yAxis: {
      type: 'value',
      splitNumber: 4,
      splitLine: { lineStyle: { color: colour('line') } },
      axisLabel: { ...text, formatter: write },
    },
    series: series.map(({ id, name, colour: token, values }) => ({
      id,
      name,
      type: 'bar',
      ...(isStacked ? { stack: 'all' } : {}),
      barMaxWidth: 28,
      barCategoryGap: '28%',
      itemStyle: { color: colour(token) },
      emphasis: { disabled: true },
      data: values,
    })),
  };
}
