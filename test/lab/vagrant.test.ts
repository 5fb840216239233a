import { describe, expect, it } from 'vitest'
import { parseSshConfig } from '../../src/lab/ssh-config.ts'
import { parseStates } from '../../src/lab/vagrant.ts'

describe('what vagrant ssh-config prints', () => {
  it('gives address, port, user and key of every host', () => {
    const text = `Host cp1
  HostName 127.0.0.1
  User vagrant
  Port 2222
  UserKnownHostsFile /dev/null
  StrictHostKeyChecking no
  IdentityFile /lab/.vagrant/machines/cp1/docker/private_key
  IdentitiesOnly yes
  LogLevel FATAL

Host w1
  HostName 192.168.121.7
  User admin
  IdentityFile "/my lab/key"
  IdentityFile /another/key
`
    expect(parseSshConfig(text)).toEqual([
      {
        name: 'cp1',
        address: '127.0.0.1',
        port: 2222,
        user: 'vagrant',
        key: '/lab/.vagrant/machines/cp1/docker/private_key',
      },
      { name: 'w1', address: '192.168.121.7', port: 22, user: 'admin', key: '/my lab/key' },
    ])
  })

  it('gives no host where a message stands instead', () => {
    expect(parseSshConfig('A new version of Vagrant is available\n')).toEqual([])
  })
})

describe('what vagrant status --machine-readable prints', () => {
  it('gives the state of every host', () => {
    const text = `1763683200,cp1,metadata,provider,virtualbox
1763683200,cp1,provider-name,virtualbox
1763683200,cp1,state,running
1763683200,cp1,state-human-short,running
1763683200,w1,state,not_created
1763683200,,ui,info,Current machine states:\\n\\ncp1 running
`
    expect([...parseStates(text)]).toEqual([
      ['cp1', 'running'],
      ['w1', 'not_created'],
    ])
  })
})
