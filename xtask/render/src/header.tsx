// What stands above the panels: the title, the variables, the time.

import { Icon, useTheme2 } from '@grafana/ui';

import type { Scene } from './query';

interface Props {
  title: string;
  scene: Scene;
}

export function Header({ title, scene }: Props) {
  const theme = useTheme2();
  const { spacing, typography } = theme;
  const minutes = Math.round((scene.range.to.valueOf() - scene.range.from.valueOf()) / 60_000);
  const shown = scene.chosen.filter(({ variable }) => variable.hide !== 2);
  return (
    <header style={{ padding: spacing(2, 0), display: 'flex', flexDirection: 'column', gap: spacing(2) }}>
      <div style={{ ...typography.h4, margin: 0 }}>{title}</div>
      <div style={{ display: 'flex', flexWrap: 'wrap', gap: spacing(1, 2), alignItems: 'center' }}>
        {shown.map(({ variable, text }) => (
          <Control key={variable.name} label={variable.label || variable.name} text={text} />
        ))}
        <div style={{ flexGrow: 1 }} />
        <Control icon text={`Last ${minutes} minutes`} />
      </div>
    </header>
  );
}

interface ControlProps {
  label?: string;
  icon?: boolean;
  text: string;
}

function Control({ label, icon, text }: ControlProps) {
  const { colors, components, shape, spacing, typography } = useTheme2();
  const edge = `1px solid ${components.input.borderColor}`;
  const part = {
    ...typography.bodySmall,
    display: 'flex',
    alignItems: 'center',
    gap: spacing(1),
    height: spacing(4),
    padding: spacing(0, 1),
    border: edge,
    background: components.input.background,
    borderRadius: shape.radius.default,
  };
  return (
    <div style={{ display: 'flex' }}>
      {label && (
        <div
          style={{
            ...part,
            fontWeight: typography.fontWeightMedium,
            background: colors.background.secondary,
            borderRight: 'none',
            borderTopRightRadius: 0,
            borderBottomRightRadius: 0,
          }}
        >
          {label}
        </div>
      )}
      <div style={{ ...part, ...(label && { borderTopLeftRadius: 0, borderBottomLeftRadius: 0 }) }}>
        {icon && <Icon name="clock-nine" size="sm" />}
        {text}
        <Icon name="angle-down" />
      </div>
    </div>
  );
}
